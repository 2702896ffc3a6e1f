/**
 * The one way in which the extension host and a webview talk: each panel has one interface per message, one union per
 * direction, and one handler per message. There are no request ids: an answer repeats what it answers (a port, a path),
 * so an answer that comes late, or after the page was hidden and made anew, is recognised and dropped.
 */
export interface WebviewMessage {
  readonly type: string;
}

/** One handler for every message of a direction: a message added to the union does not compile until it is handled. */
export type MessageHandlers<In extends WebviewMessage> = {
  readonly [Type in In["type"]]: (message: Extract<In, { type: Type }>) => void;
};

/** Calls the handler of `message`. Validate first what comes from the other side. */
export function dispatchMessage<In extends WebviewMessage>(handlers: MessageHandlers<In>, message: In): void {
  const handler = handlers[message.type as In["type"]] as (message: In) => void;
  handler(message);
}

/** Fills `{0}`, `{1}` ... as `vscode.l10n.t` does, for texts whose arguments only the page knows. */
export function fillText(template: string, ...args: (string | number)[]): string {
  return template.replace(/\{(\d+)\}/g, (placeholder, index) => String(args[Number(index)] ?? placeholder));
}
