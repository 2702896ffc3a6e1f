import { type AppearanceMessage, FIRST_MESSAGE_ID } from "../rpc/page";
import { dispatchMessage, type MessageHandlers, type WebviewMessage } from "../rpc/webviewMessages";

/** The extension host as a page sees it. */
export interface Host<Out extends WebviewMessage, State> {
  send(message: Out): void;
  /** What `saveState` was given before the page was hidden; a hidden page is thrown away and made anew when shown. */
  readonly state: State | undefined;
  saveState(state: State): void;
}

/** What the page's HTML says that it is to do; a page that is made anew from the same HTML finds it again. */
export function firstMessage<In extends WebviewMessage>(): In | undefined {
  const text = document.getElementById(FIRST_MESSAGE_ID)?.textContent;
  return text ? (JSON.parse(text) as In) : undefined;
}

/** Call once per page, and send `ready` when the handlers may be called. */
export function connectToHost<In extends WebviewMessage, Out extends WebviewMessage, State>(
  handlers: MessageHandlers<In>,
): Host<Out, State> {
  const api = acquireVsCodeApi<State>();
  // Only the extension host can post here: the page's content security policy lets no frame in.
  window.addEventListener("message", (event: MessageEvent<In | AppearanceMessage>) => {
    const message = event.data;
    if (message.type === "appearance") applyAppearance(message as AppearanceMessage);
    else dispatchMessage(handlers, message as In);
  });
  return {
    send: (message) => api.postMessage(message),
    state: api.getState(),
    saveState: (state) => void api.setState(state),
  };
}

function applyAppearance({ theme, format }: AppearanceMessage): void {
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.format = format;
  // The toolkit reads its colours anew whenever a class of the body changes, and only then.
  document.body.classList.remove("theme-auto", "theme-light", "theme-dark");
  document.body.classList.add(`theme-${theme}`);
}
