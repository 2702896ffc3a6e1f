/** A program: a tracker of `argv[2]` videos on a free port of the loopback. Prints the port; ends with its standard input. */
import { startFullTracker } from "../tracker/support";

/** As far as any test looks at records; the rest need no signature. */
const SIGNED = 2_500;

const videos = Number(process.argv[2]);
const tracker = await startFullTracker(videos, Math.min(videos, SIGNED));
process.stdout.write(`${tracker.port}\n`);
process.stdin.on("end", () => void tracker.stop().then(() => process.exit(0))).resume();
