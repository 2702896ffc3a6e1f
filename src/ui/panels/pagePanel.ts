/** A page in an editor tab: its HTML, its security policy, its messages. What the page is for is its panel's own file. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import * as vscode from "vscode";
import type * as z from "zod";
import { type AppearanceMessage, FIRST_MESSAGE_ID } from "../../rpc/page";
import { dispatchMessage, type MessageHandlers, type WebviewMessage } from "../../rpc/webviewMessages";
import { appearance, onDidChangeAppearance } from "./appearance";

/** Random bytes of a nonce; 128 bits, as the CSP standard asks for. */
const NONCE_BYTES = 16;

/** Base names of dist/webview/<page>.js and .css. */
export type PageName =
  | "profilePanel"
  | "uploadPanel"
  | "editPanel"
  | "detailsPanel"
  | "chatPanel"
  | "settingsPanel"
  | "doctorPanel"
  | "playerPanel";

export interface PagePanelOptions<In extends WebviewMessage> {
  extensionUri: vscode.Uri;
  viewType: string;
  title: string;
  page: PageName;
  /** What the page may send: a webview is not trusted more than any other process. */
  schema: z.ZodType<In>;
  handlers: MessageHandlers<In>;
  /** Folders besides the page's own whose files it may show. */
  resourceRoots?: readonly vscode.Uri[];
  /** Sources besides the page's own for its policy, e.g. `{ "media-src": "blob:" }`. `img-src` has `data:` anyway: pictures come as data. */
  policy?: Readonly<Record<string, string>>;
  /** It plays files of `resourceRoots`. */
  playsFiles?: boolean;
  /** It starts workers: their scripts lie beside its own, and are loaded as text. */
  runsWorkers?: boolean;
  /** What it is told before it has said anything, once. */
  first?: WebviewMessage;
  /** Address of a video that its script will play: it is on its way while the script is still being read. */
  video?: string;
  /** It goes on while its tab is hidden: sound, for example. Costs the memory of a page. */
  retain?: boolean;
  /** Where the tab opens; the active column by default. */
  column?: vscode.ViewColumn;
}

/**
 * A tab whose page is still to come. VS Code takes a while to set up the frame for one: whoever must find out first what the page
 * shall be opens its tab before that.
 */
export function openTab({
  extensionUri,
  viewType,
  title,
  resourceRoots = [],
  retain,
  column,
}: Pick<
  PagePanelOptions<WebviewMessage>,
  "extensionUri" | "viewType" | "title" | "resourceRoots" | "retain" | "column"
>): vscode.WebviewPanel {
  const tab = vscode.window.createWebviewPanel(viewType, title, column ?? vscode.ViewColumn.Active, {
    enableScripts: true,
    retainContextWhenHidden: retain === true,
    localResourceRoots: [rootOf(extensionUri), ...resourceRoots],
  });
  const media = vscode.Uri.joinPath(extensionUri, "media");
  tab.iconPath = {
    light: vscode.Uri.joinPath(media, "tab-light.svg"),
    dark: vscode.Uri.joinPath(media, "tab-dark.svg"),
  };
  return tab;
}

/** Where the pages are. */
function rootOf(extensionUri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(extensionUri, "dist", "webview");
}

/**
 * The page may be thrown away while its tab is hidden and made anew when it is shown: it then sends its first message again
 * and keeps in its own state what must outlive that.
 */
export class PagePanel<Out extends WebviewMessage, In extends WebviewMessage> implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[] = [];

  /** @param panel its tab, where that is open already */
  constructor(
    options: PagePanelOptions<In>,
    readonly panel: vscode.WebviewPanel = openTab(options),
  ) {
    const root = rootOf(options.extensionUri);
    const { webview } = this.panel;
    this.subscriptions.push(
      webview.onDidReceiveMessage((message) => dispatchMessage(options.handlers, options.schema.parse(message))),
      onDidChangeAppearance((next) => {
        const message: AppearanceMessage = { type: "appearance", ...next };
        void webview.postMessage(message);
      }),
      this.panel.onDidDispose(() => vscode.Disposable.from(...this.subscriptions).dispose()),
    );
    webview.html = pageHtml(webview, root, options);
    // A hidden page is made anew from this HTML: it must be of the look of that time.
    this.subscriptions.push(
      onDidChangeAppearance(() => {
        // One that is kept hears the message; its content must not begin anew.
        if (!this.panel.visible && options.retain !== true) webview.html = pageHtml(webview, root, options);
      }),
    );
  }

  /** Reaches the page only while it is shown. */
  send(message: Out): void {
    void this.panel.webview.postMessage(message);
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  /** Of the tab. */
  setTitle(title: string): void {
    if (this.panel.title !== title) this.panel.title = title;
  }

  /** Other folders than those of `resourceRoots`; the page may be made anew by that. */
  setResourceRoots(roots: readonly vscode.Uri[]): void {
    const { webview } = this.panel;
    const [own, ...before] = webview.options.localResourceRoots ?? [];
    if (!own || String(before) === String(roots)) return;
    webview.options = { ...webview.options, localResourceRoots: [own, ...roots] };
  }

  /** Also while hidden, and once; at once where the tab is closed already. */
  onDidDispose(listener: () => void): void {
    this.panel.onDidDispose(listener);
  }

  reveal(): void {
    this.panel.reveal();
  }

  dispose(): void {
    this.panel.dispose();
  }
}

/**
 * Script and style stand in the HTML itself: VS Code takes a tenth of a second to bring a page its files, one message to bring it
 * this.
 */
function pageHtml<In extends WebviewMessage>(
  webview: vscode.Webview,
  root: vscode.Uri,
  { page, title, playsFiles, runsWorkers, policy = {}, first, video }: PagePanelOptions<In>,
): string {
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  // esbuild leaves no end tag of theirs in either.
  const text = (extension: string) => readFileSync(vscode.Uri.joinPath(root, `${page}.${extension}`).fsPath, "utf8");
  const { theme, format } = appearance();
  // The toolkit makes an empty style element to find out about :focus-visible, and takes the nonce for it from the meta tag.
  const sources: Record<string, string> = {
    "default-src": "'none'",
    "style-src": `'nonce-${nonce}'`,
    "script-src": `'nonce-${nonce}'`,
    "img-src": "data:",
    ...(playsFiles ? { "media-src": webview.cspSource } : {}),
    ...policy,
    ...(runsWorkers
      ? { "worker-src": "blob:", "connect-src": `${webview.cspSource} ${policy["connect-src"] ?? ""}`.trim() }
      : {}),
  };
  const csp = Object.entries(sources)
    .map(([directive, source]) => `${directive} ${source}`)
    .join("; ");
  const scripts = runsWorkers ? ` data-scripts="${escapeHtml(`${webview.asWebviewUri(root)}/`)}"` : "";
  return `<!DOCTYPE html>
<html lang="${escapeHtml(vscode.env.language)}" data-theme="${theme}" data-format="${format}"${scripts}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style nonce="${nonce}">${text("css")}</style>
</head>
<body>
${video ? `<video src="${escapeHtml(video)}" preload="auto"></video>` : ""}
${first ? `<script type="application/json" id="${FIRST_MESSAGE_ID}">${asJson(first)}</script>` : ""}
<script type="module" nonce="${nonce}">${text("js")}</script>
</body>
</html>`;
}

/** JSON that ends no element, whatever strangers have written. */
function asJson(message: WebviewMessage): string {
  return JSON.stringify(message).replaceAll("<", "\\u003c");
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
