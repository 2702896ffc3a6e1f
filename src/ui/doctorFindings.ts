/** What the connection doctor found, as sentences with at most one fix each. The compiler sees to it that no reason is forgotten. */
import { l10n } from "vscode";
import type { Check, CheckId, CheckReasons } from "../peer/status";
import type { HostState } from "../rpc/window";
import type { ErrorCode, ErrorData, ErrorInfo } from "../wire/errors";
import type { Command } from "./contributions";
import { formatBytes } from "./format";
import { phaseOf } from "./host/snapshots";
import { explain } from "./messages";
import { localTrackerPort } from "./views/conditions";

/** What a fix does: a command of Streamlet, or one setting that is shown. */
export type Fix = { label: string } & ({ command: Command } | { setting: string });

export interface DoctorFinding {
  state: Check["state"];
  title: string;
  text: string;
  fix?: Fix;
}

interface Advice {
  text: string;
  fix?: Fix;
}

type Describe = (data: ErrorData) => Advice;

const editProfile = (): Fix => ({ label: l10n.t("Edit Profile"), command: "streamlet.editProfile" });
const nextFreePort = (): Fix => ({ label: l10n.t("Use the Next Free Port"), command: "streamlet.useNextFreePort" });
const startProfile = (label: string): Fix => ({ label, command: "streamlet.startProfile" });
const openSetting = (setting: string): Fix => ({ label: l10n.t("Open Settings"), setting });

const ADVICE: { readonly [Id in Exclude<CheckId, "tracker">]: Readonly<Record<CheckReasons[Id], Describe>> } = {
  port: {
    reachable: ({ port }) => ({ text: l10n.t("Port {0} of this computer answers.", word(port)) }),
    partly: ({ port, address }) => ({
      text: l10n.t("Port {0} answers, but not at the address {1} of this computer.", word(port), word(address)),
      fix: nextFreePort(),
    }),
    silent: ({ port }) => ({
      text: l10n.t("Nothing answers on port {0} of this computer, although the profile runs.", word(port)),
      fix: startProfile(l10n.t("Restart Profile")),
    }),
    "somebody-else": ({ port, address }) => ({
      text: l10n.t("Another program answers on port {0} at {1}.", word(port), word(address)),
      fix: nextFreePort(),
    }),
  },
  airplay: {
    "airplay-port": ({ port }) => ({
      text: l10n.t(
        "On macOS, port {0} is AirPlay Receiver's, which may take it away. Use another port, or switch AirPlay Receiver off (System Settings › General › AirDrop & Handoff).",
        word(port),
      ),
      fix: nextFreePort(),
    }),
    "other-port": ({ port }) => ({ text: l10n.t("Port {0} is none of AirPlay's.", word(port)) }),
  },
  addresses: {
    found: ({ address }) => ({ text: l10n.t("People in your network reach this computer at {0}.", word(address)) }),
    "with-vpn": ({ address }) => ({
      text: l10n.t("People reach this computer at {0}; a VPN's address serves only people in that VPN.", word(address)),
    }),
    "vpn-only": ({ address }) => ({
      text: l10n.t("This computer has only a VPN's address ({0}): only people in that VPN reach it.", word(address)),
    }),
    "loopback-only": () => ({
      text: l10n.t("This computer is in no network: nobody but programs on it can reach you."),
    }),
  },
  clock: {
    right: () => ({ text: l10n.t("The clock of this computer agrees with the tracker's.") }),
    inexact: ({ seconds, ahead }) => ({
      text: ahead
        ? l10n.t("The clock of this computer is {0} seconds ahead of the tracker's.", word(seconds))
        : l10n.t("The clock of this computer is {0} seconds behind the tracker's.", word(seconds)),
    }),
    wrong: ({ seconds, ahead }) => ({
      text: ahead
        ? l10n.t(
            "The clock of this computer is {0} seconds ahead of the tracker's: set the one that is wrong, or videos will be missing.",
            word(seconds),
          )
        : l10n.t(
            "The clock of this computer is {0} seconds behind the tracker's: set the one that is wrong, or videos will be missing.",
            word(seconds),
          ),
    }),
    "no-tracker": () => ({ text: l10n.t("Cannot be told without a tracker to compare with.") }),
  },
  reach: {
    reached: ({ port }) => ({
      text: l10n.t("Somebody on another computer has connected to port {0} since the profile started.", word(port)),
    }),
    "neither-side": ({ port }) => ({
      text: l10n.t(
        "A download waits because neither side can be reached from outside: forward port {0} on your router, or ask the other person to.",
        word(port),
      ),
    }),
    "nobody-yet": ({ port }) => ({
      text: l10n.t("Nobody on another computer has connected to port {0} since the profile started.", word(port)),
    }),
  },
  firewall: {
    open: () => ({ text: l10n.t("Others get through: they have connected.") }),
    "called-back": ({ port }) => ({
      text: l10n.t("Somebody was asked to connect to port {0}, and got through.", word(port)),
    }),
    "not-called-back": ({ port }) => ({
      text: l10n.t(
        "Somebody was asked to connect to port {0} and did not get through: allow it in this computer's firewall, and forward it on your router.",
        word(port),
      ),
    }),
    "nobody-to-ask": () => ({
      text: l10n.t("Cannot be told now: nobody else who has one of your videos is online and could try to connect."),
    }),
    "no-tracker": () => ({ text: l10n.t("Cannot be told without a tracker: it asks others to try to connect.") }),
  },
  disk: {
    enough: ({ free, folder }) => ({ text: l10n.t("{0} are free in {1}.", bytes(free), word(folder)) }),
    low: ({ free, folder }) => ({
      text: l10n.t("Only {0} are free in {1}.", bytes(free), word(folder)),
      fix: openSetting("streamlet.downloadsFolder"),
    }),
    full: ({ folder }) => ({
      text: l10n.t("There is no room for downloads in {0}.", word(folder)),
      fix: openSetting("streamlet.downloadsFolder"),
    }),
    unwritable: ({ folder }) => ({
      text: l10n.t(
        "Downloads cannot be written into {0}. Check its permissions, or choose another folder.",
        word(folder),
      ),
      fix: openSetting("streamlet.downloadsFolder"),
    }),
  },
  ffmpeg: {
    found: ({ path, version }) => ({ text: l10n.t("ffmpeg {0} is at {1}.", word(version), word(path)) }),
    missing: () => ({
      text: l10n.t("ffmpeg was not found. Without it there are no smaller copies, and no pictures of some videos."),
      fix: openSetting("streamlet.ffmpegPath"),
    }),
  },
};

export function findingsOf(checks: readonly Check[]): DoctorFinding[] {
  return checks.map((check) => ({ state: check.state, title: titleOf(check), ...adviceOn(check) }));
}

/** What is to be said where no peer runs that could be examined. */
export function findingWithoutPeer(state: HostState | undefined): DoctorFinding | undefined {
  const of = (text: string, fix: Fix): DoctorFinding => ({ state: "problem", title: l10n.t("Profile"), text, fix });
  switch (phaseOf(state)) {
    case "joining":
    case "starting":
    case "running":
      return undefined;
    case "noProfile":
      return of(l10n.t("There is no profile yet, so nobody can reach you."), {
        label: l10n.t("Create Profile"),
        command: "streamlet.createProfile",
      });
    case "stopped":
      return of(l10n.t("No profile runs, so nobody can reach you."), startProfile(l10n.t("Start Profile")));
    case "failed": {
      const why = state?.failure ?? state?.snapshot.peer.error ?? { code: "internal", message: "" };
      return of(explain(why), fixOfFailure(why.code));
    }
  }
}

function fixOfFailure(code: ErrorCode): Fix {
  switch (code) {
    case "port-in-use":
    case "port-forbidden":
      return nextFreePort();
    case "identity-missing":
      return { label: l10n.t("Make a New Key..."), command: "streamlet.renewIdentity" };
    case "library-damaged":
      return { label: l10n.t("Reset Data..."), command: "streamlet.resetData" };
    default:
      return startProfile(l10n.t("Try Again"));
  }
}

/** One sentence over all findings. */
export function summaryOf(findings: readonly DoctorFinding[]): string {
  const count = (state: Check["state"]) => findings.filter((finding) => finding.state === state).length;
  const problems = count("problem");
  const warnings = count("warning");
  const counts = [
    problems === 1 ? l10n.t("1 problem") : problems > 1 ? l10n.t("{0} problems", problems) : "",
    warnings === 1 ? l10n.t("1 warning") : warnings > 1 ? l10n.t("{0} warnings", warnings) : "",
  ].filter(Boolean);
  return counts.length > 0 ? l10n.t("Found: {0}.", counts.join(", ")) : l10n.t("Everything that was tested works.");
}

function adviceOn(check: Check): Advice {
  const { reason, data = {} } = check;
  if (reason === "timeout") return { text: l10n.t("Not tested: it took too long.") };
  if (reason === "failed") return { text: l10n.t("Not tested: {0}", word(data.message)) };
  if (check.id === "tracker") return adviceOnTracker(check.reason as CheckReasons["tracker"], data);
  const describe = (ADVICE[check.id] as Readonly<Record<string, Describe>>)[reason];
  return describe?.(data) ?? { text: reason };
}

function adviceOnTracker(reason: CheckReasons["tracker"], data: ErrorData): Advice {
  if (reason === "online") return { text: l10n.t("Answers in {0} ms and accepts you.", word(data.ms)) };
  if (reason === "name-unknown") {
    return { text: l10n.t("There is no computer named {0}. Check the address.", word(data.host)), fix: editProfile() };
  }
  const info: ErrorInfo = { code: reason, message: word(data.message), data };
  // A wrong clock has a line of its own.
  if (reason === "clock-skew") return { text: explain(info) };
  const local = reason === "tracker-unreachable" && localTrackerPort([word(data.address)]) !== undefined;
  const start: Fix = { label: l10n.t("Start a Tracker Here"), command: "streamlet.startTrackerHere" };
  return { text: explain(info), fix: local ? start : editProfile() };
}

function titleOf({ id, subject }: Check): string {
  switch (id) {
    case "port":
      return l10n.t("Port");
    case "airplay":
      return l10n.t("AirPlay");
    case "addresses":
      return l10n.t("Addresses");
    case "tracker":
      return l10n.t("Tracker {0}", subject ?? "");
    case "clock":
      return l10n.t("Clock");
    case "reach":
      return l10n.t("Reached from outside");
    case "firewall":
      return l10n.t("Firewall and router");
    case "disk":
      return l10n.t("Room for downloads");
    case "ffmpeg":
      return l10n.t("ffmpeg");
  }
}

function word(value: ErrorData[string] | undefined): string {
  return value === undefined ? "?" : String(value);
}

function bytes(value: ErrorData[string] | undefined): string {
  return typeof value === "number" ? formatBytes(value) : "?";
}
