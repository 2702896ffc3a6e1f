import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import * as z from "zod";
import type { DoctorPhase, DoctorStrings, FromDoctorPage, ToDoctorPage } from "../../rpc/doctorPanel";
import { StreamletError, toErrorInfo } from "../../wire/errors";
import type { App } from "../app";
import { type DoctorFinding, type Fix, findingsOf, findingWithoutPeer, summaryOf } from "../doctorFindings";
import { explain } from "../messages";
import { report } from "../notify";
import { PagePanel } from "./pagePanel";

/** Far more checks than there are. */
const MAX_FINDINGS = 100;

const SCHEMA: z.ZodType<FromDoctorPage> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("test") }),
  z.object({ type: z.literal("cancel") }),
  z.object({ type: z.literal("copyReport") }),
  z.object({ type: z.literal("fix"), index: z.number().int().min(0).max(MAX_FINDINGS) }),
]);

const open = new WeakMap<vscode.ExtensionContext, DoctorPanel>();

/** Shows the Connection Doctor and has it test; one that is open comes to the front and tests anew. */
export function showDoctorPanel(app: App): void {
  const known = open.get(app.context);
  if (known) return known.showAgain();
  const panel = new DoctorPanel(app);
  open.set(app.context, panel);
  panel.onDidDispose(() => open.delete(app.context));
}

class DoctorPanel {
  private readonly page: PagePanel<ToDoctorPage, FromDoctorPage>;
  private readonly strings = doctorStrings();
  private phase: DoctorPhase = "testing";
  private findings: DoctorFinding[] = [];
  /** The test that runs; its answer counts only while it is the newest. */
  private taskId: string | undefined;
  private disposed = false;

  constructor(private readonly app: App) {
    this.page = new PagePanel({
      extensionUri: app.context.extensionUri,
      viewType: "streamlet.doctor",
      title: this.strings.heading,
      page: "doctorPanel",
      schema: SCHEMA,
      handlers: {
        ready: () => this.show(),
        test: () => void this.test(),
        cancel: () => this.cancel(),
        copyReport: () => void this.copyReport(),
        fix: ({ index }) => void this.mend(this.findings[index]?.fix),
      },
    });
    this.page.onDidDispose(() => {
      this.disposed = true;
      this.endTask();
    });
    void this.test();
  }

  onDidDispose(listener: () => void): void {
    this.page.onDidDispose(listener);
  }

  showAgain(): void {
    this.page.reveal();
    void this.test();
  }

  private show(): void {
    const { phase, findings, strings } = this;
    this.page.send({
      type: "show",
      phase,
      findings: findings.map(({ fix, ...finding }) => ({ ...finding, ...(fix ? { fix: fix.label } : {}) })),
      summary: phase === "done" ? summaryOf(findings) : "",
      strings,
    });
  }

  private async test(): Promise<void> {
    if (this.disposed) return;
    this.endTask();
    const taskId = randomBytes(8).toString("hex");
    this.taskId = taskId;
    this.phase = "testing";
    this.show();
    const findings = await this.examine(taskId);
    if (this.taskId !== taskId) return;
    this.taskId = undefined;
    this.phase = "done";
    this.findings = findings;
    this.show();
  }

  private async examine(taskId: string): Promise<DoctorFinding[]> {
    const without = findingWithoutPeer(this.app.host.state);
    if (without) return [without];
    try {
      return findingsOf(await this.app.service.diagnose({ taskId }));
    } catch (error) {
      const info = toErrorInfo(error);
      // It may have stopped meanwhile, and the reason is known by now.
      const stopped = findingWithoutPeer(this.app.host.state);
      return [stopped ?? { state: "problem", title: vscode.l10n.t("Profile"), text: explain(info) }];
    }
  }

  private cancel(): void {
    if (!this.taskId) return;
    this.endTask();
    this.phase = "cancelled";
    this.findings = [];
    this.show();
  }

  private endTask(): void {
    if (!this.taskId) return;
    // Whoever stopped the peer meanwhile has ended the test with it.
    this.app.service.cancelTask(this.taskId).catch((error) => this.app.log.debug(String(error)));
    this.taskId = undefined;
  }

  private async mend(fix: Fix | undefined): Promise<void> {
    if (!fix) return;
    if ("setting" in fix) {
      await vscode.commands.executeCommand("workbench.action.openSettings", fix.setting);
      return;
    }
    await vscode.commands.executeCommand(fix.command);
    await this.test();
  }

  private async copyReport(): Promise<void> {
    try {
      if (this.phase !== "done") throw new StreamletError("cancelled", "There is nothing to copy yet.");
      await vscode.env.clipboard.writeText(reportOf(this.findings, this.strings, this.app.context));
      this.page.send({ type: "reportCopied" });
    } catch (error) {
      await report(this.app.log, error);
    }
  }
}

/** What one sends to somebody who helps: no key, no token, no name. */
function reportOf(
  findings: readonly DoctorFinding[],
  strings: DoctorStrings,
  { extension }: vscode.ExtensionContext,
): string {
  const about = [
    `Streamlet ${String(extension.packageJSON.version)}`,
    `${vscode.env.appName} ${vscode.version}`,
    `${process.platform} ${process.arch}`,
    new Date().toISOString(),
  ];
  const lines = findings.map(({ state, title, text }) => `[${strings[state]}] ${title}: ${text}`);
  return `${[about.join(", "), "", ...lines].join("\n").replace(/([?&]token=)[^&\s]+/g, "$1…")}\n`;
}

function doctorStrings(): DoctorStrings {
  const { t } = vscode.l10n;
  return {
    heading: t("Connection Doctor"),
    intro: t("Tests what has to work for you and others to reach each other."),
    testing: t("Testing; this takes up to ten seconds..."),
    cancelled: t("The test was cancelled."),
    test: t("Test"),
    testAgain: t("Test Again"),
    cancel: t("Cancel"),
    copyReport: t("Copy Report"),
    reportCopied: t("Report copied. It holds no keys and no tokens."),
    findings: t("Findings"),
    ok: t("OK"),
    warning: t("Warning"),
    problem: t("Problem"),
    skipped: t("Not tested"),
  };
}
