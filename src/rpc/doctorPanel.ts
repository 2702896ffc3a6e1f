/** Contract of the "Connection Doctor" panel. */
import type { Check } from "../peer/status";

/** One line of the page: what was looked at, what was found, and at most one way to mend it. */
export interface Finding {
  state: Check["state"];
  title: string;
  text: string;
  /** Label of the button that mends it. */
  fix?: string;
}

export type DoctorPhase = "testing" | "done" | "cancelled";

/** Texts of the page, in the language of the editor. */
export type DoctorStrings = Record<
  | "heading"
  | "intro"
  | "testing"
  | "cancelled"
  | "test"
  | "testAgain"
  | "cancel"
  | "copyReport"
  | "reportCopied"
  | "findings"
  | Check["state"],
  string
>;

/** Everything that the page shows; the answer to `ready`, and sent again whenever something of it changes. */
export interface ShowDoctorMessage {
  type: "show";
  phase: DoctorPhase;
  findings: Finding[];
  /** One sentence about all findings; "" while testing. */
  summary: string;
  strings: DoctorStrings;
}

export interface ReportCopiedMessage {
  type: "reportCopied";
}

export type ToDoctorPage = ShowDoctorMessage | ReportCopiedMessage;

/** The page runs (again) and has nothing to show yet. */
export interface DoctorReadyMessage {
  type: "ready";
}

export interface TestMessage {
  type: "test";
}

export interface CancelTestMessage {
  type: "cancel";
}

export interface CopyReportMessage {
  type: "copyReport";
}

/** Runs the fix of the finding at this place of the list. */
export interface FixMessage {
  type: "fix";
  index: number;
}

export type FromDoctorPage = DoctorReadyMessage | TestMessage | CancelTestMessage | CopyReportMessage | FixMessage;
