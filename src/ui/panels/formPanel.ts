import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type * as z from "zod";
import { dispatchMessage, type MessageHandlers, type WebviewMessage } from "../../rpc/webviewMessages";

/** Random bytes of a nonce; 128 bits, as the CSP standard asks for. */
const NONCE_BYTES = 16;

export interface FormPanelOptions<In extends WebviewMessage> {
  extensionUri: vscode.Uri;
  viewType: string;
  title: string;
  /** Base name of dist/webview/<page>.js and .css. */
  page: "profilePanel" | "uploadPanel";
  /** What the page may send: a webview is not trusted more than any other process. */
  schema: z.ZodType<In>;
  handlers: MessageHandlers<In>;
}

/**
 * A form in an editor tab: it is asked once and answers once. The page may be thrown away while its tab is hidden and
 * made anew when it is shown; it then sends `ready` again and keeps what was typed in its own state.
 */
export class FormPanel<Out extends WebviewMessage, In extends WebviewMessage, Result> implements vscode.Disposable {
  /** What was submitted; undefined when the form was cancelled or its tab closed. */
  readonly result: Promise<Result | undefined>;
  private readonly panel: vscode.WebviewPanel;
  private resolve: (result: Result | undefined) => void = () => undefined;

  constructor(options: FormPanelOptions<In>) {
    this.result = new Promise((resolve) => {
      this.resolve = resolve;
    });
    const root = vscode.Uri.joinPath(options.extensionUri, "dist", "webview");
    this.panel = vscode.window.createWebviewPanel(options.viewType, options.title, vscode.ViewColumn.Active, {
      enableScripts: true,
      localResourceRoots: [root],
    });
    const media = vscode.Uri.joinPath(options.extensionUri, "media");
    this.panel.iconPath = {
      light: vscode.Uri.joinPath(media, "tab-light.svg"),
      dark: vscode.Uri.joinPath(media, "tab-dark.svg"),
    };
    this.panel.onDidDispose(() => this.resolve(undefined));
    const { webview } = this.panel;
    webview.onDidReceiveMessage((message) => dispatchMessage(options.handlers, options.schema.parse(message)));
    webview.html = pageHtml(webview, root, options.page, options.title);
  }

  /** Reaches the page only while it is shown. */
  send(message: Out): void {
    void this.panel.webview.postMessage(message);
  }

  finish(result: Result | undefined): void {
    this.resolve(result);
    this.panel.dispose();
  }

  reveal(): void {
    this.panel.reveal();
  }

  dispose(): void {
    this.panel.dispose();
  }
}

function pageHtml(webview: vscode.Webview, root: vscode.Uri, page: string, title: string): string {
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  const script = webview.asWebviewUri(vscode.Uri.joinPath(root, `${page}.js`));
  const style = webview.asWebviewUri(vscode.Uri.joinPath(root, `${page}.css`));
  // The toolkit makes an empty style element to find out about :focus-visible, and takes the nonce for it from the meta tag.
  const policy = `default-src 'none'; style-src ${webview.cspSource} 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="${escapeHtml(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<script type="module" nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
