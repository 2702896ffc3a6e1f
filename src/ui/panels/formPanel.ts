import type * as vscode from "vscode";
import type { WebviewMessage } from "../../rpc/webviewMessages";
import { PagePanel, type PagePanelOptions } from "./pagePanel";

/** A form in an editor tab: it is asked once and answers once. */
export class FormPanel<Out extends WebviewMessage, In extends WebviewMessage, Result> implements vscode.Disposable {
  /** What was submitted; undefined when the form was cancelled or its tab closed. */
  readonly result: Promise<Result | undefined>;
  private readonly page: PagePanel<Out, In>;
  private resolve: (result: Result | undefined) => void = () => undefined;

  constructor(options: PagePanelOptions<In>) {
    this.result = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.page = new PagePanel(options);
    this.page.onDidDispose(() => this.resolve(undefined));
  }

  /** Reaches the page only while it is shown. */
  send(message: Out): void {
    this.page.send(message);
  }

  get webview(): vscode.Webview {
    return this.page.panel.webview;
  }

  setResourceRoots(roots: readonly vscode.Uri[]): void {
    this.page.setResourceRoots(roots);
  }

  finish(result: Result | undefined): void {
    this.resolve(result);
    this.page.dispose();
  }

  reveal(): void {
    this.page.reveal();
  }

  dispose(): void {
    this.page.dispose();
  }
}
