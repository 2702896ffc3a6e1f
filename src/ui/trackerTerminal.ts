/** "Start a Tracker Here": runs the bundled tracker in a terminal, where people see what it says and can stop it. */
import { homedir } from "node:os";
import { join } from "node:path";
import { type ExtensionContext, l10n, type Terminal, ThemeIcon, Uri, window } from "vscode";
import { localTrackerPort } from "./views/conditions";

const TERMINAL_NAME = "Streamlet Tracker";
/** As the tracker's own default. */
const DEFAULT_TRACKER_PORT = 6000;

/** Shows the terminal of the tracker that runs already (also over a reload of the window), or starts one. */
export function startTrackerHere(context: ExtensionContext, trackers: readonly string[]): Terminal {
  const running = window.terminals.find(
    (terminal) => terminal.name === TERMINAL_NAME && terminal.exitStatus === undefined,
  );
  if (running) {
    running.show(true);
    return running;
  }
  const port = localTrackerPort(trackers) ?? DEFAULT_TRACKER_PORT;
  const terminal = window.createTerminal({
    name: TERMINAL_NAME,
    iconPath: new ThemeIcon("server-process"),
    // VS Code's own Node: people may have no other. On desktop it is Electron, which this variable turns into Node.
    shellPath: process.execPath,
    shellArgs: [join(context.extensionPath, "dist", "streamlet-tracker.js"), "--port", String(port)],
    env: { ELECTRON_RUN_AS_NODE: "1" },
    // A local folder: in a remote window the terminal must run where this extension and its files are.
    cwd: Uri.file(homedir()),
    message: l10n.t("Keep this terminal open while people use the tracker."),
  });
  terminal.show(true);
  return terminal;
}
