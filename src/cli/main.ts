import { Command, CommanderError, Option } from "commander";
import { version } from "../../package.json";
import type { Audience } from "../peer/status";
import type { ContactAddress } from "../wire/contact";
import type { Fingerprint } from "../wire/types";
import { addFriend, listFriends, removeFriend } from "./commands/friends";
import { get } from "./commands/get";
import { list } from "./commands/list";
import { peers } from "./commands/peers";
import { play } from "./commands/play";
import { share } from "./commands/share";
import { type ContactsContext, withContacts } from "./contacts";
import { addCommonOptions, commonOptions, parseContactArgument, parseFingerprintArgument } from "./options";
import { Output } from "./output";
import { type Context, withPeer } from "./peer";
import { describeError } from "./sentences";
import { Interrupted, Shutdown } from "./shutdown";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

interface Runners {
  withPeer(work: (context: Context) => Promise<void>, mode: { oneShot: boolean }, command: Command): Promise<void>;
  withContacts(work: (context: ContactsContext) => Promise<void>, command: Command): Promise<void>;
}

/** The program's commands. Wrong usage is thrown as CommanderError. */
function buildProgram(
  { withPeer: run, withContacts: runOffline }: Runners,
  onUsageError: (text: string) => void,
): Command {
  const program = new Command("streamlet")
    .description("Shares and fetches videos directly between people: no cloud, no account.")
    .version(version);
  const add = (name: string, description: string) => addCommonOptions(program.command(name).description(description));

  add("share", "offer videos to others until stopped")
    .argument("<file...>", "mp4, m4v, mov, mkv, webm, avi or flv")
    .option("--name <title>", "title that others see (one file only; default: the file's name)")
    .option("--description <text>", "what it shows")
    .addOption(
      new Option("--audience <who>", "who may have it; public: any BitTorrent client too")
        .choices(["everyone", "friends", "public"])
        .default("everyone"),
    )
    .action(async (files: string[], raw: { name?: string; description?: string; audience: Audience }, command) => {
      if (raw.name !== undefined && files.length > 1) command.error("error: --name goes with one file only.");
      const { name, description, audience } = raw;
      await run((context) => share(context, { files, name, description, audience }), { oneShot: false }, command);
    });

  add("list", "list the videos of the network, your own included")
    .option("--search <text>", "only those whose title, description or owner has these words")
    .action(async (raw: { search?: string }, command) => {
      await run((context) => list(context, { search: raw.search }), { oneShot: true }, command);
    });

  add("peers", "list who is online").action(async (_raw, command) => {
    await run(peers, { oneShot: true }, command);
  });

  add("get", "fetch a video; a second run goes on where the first one stopped")
    .argument("<source>", "id, link, magnet link or .torrent file")
    .option("--out <path>", "folder or new file (default: the current folder)")
    .option("--force", "replace an existing file")
    .action(async (source: string, raw: { out?: string; force?: boolean }, command) => {
      const { out, force = false } = raw;
      await run((context) => get(context, { source, out, force }), { oneShot: true }, command);
    });

  add("play", "serve a video to a player of this computer, while it downloads")
    .argument("<source>", "id or link")
    .action(async (source: string, _raw, command) => {
      await run((context) => play(context, { source }), { oneShot: true }, command);
    });

  const friends = program.command("friends").description("say who may have what you share with friends");
  const addFriends = (name: string, description: string) =>
    addCommonOptions(friends.command(name).description(description));
  addFriends("add", "pin somebody's key")
    .argument("<contact>", "fingerprint, or fingerprint@host:port", parseContactArgument)
    .action(async (contact: ContactAddress, _raw, command) => {
      await runOffline((context) => addFriend(context, contact), command);
    });
  addFriends("list", "list your friends").action(async (_raw, command) => {
    await runOffline(listFriends, command);
  });
  addFriends("remove", "end a friendship; copies that were made stay made")
    .argument("<fingerprint>", "as friends list shows it", parseFingerprintArgument)
    .action(async (fingerprint: Fingerprint, _raw, command) => {
      await runOffline((context) => removeFriend(context, fingerprint), command);
    });

  for (const command of [program, ...program.commands, ...friends.commands]) {
    command.exitOverride().configureOutput({ outputError: onUsageError }).showHelpAfterError(false);
  }
  return program;
}

async function main(args: string[]): Promise<number> {
  const shutdown = new Shutdown();
  shutdown.listen();
  // Wrong usage is reported before the options are known; a script that asked for JSON gets it all the same.
  const output = new Output(args.includes("--json"), process.stdout, process.stderr, () => shutdown.stop("SIGPIPE"));
  let exitCode = 0;
  const usageErrors: string[] = [];
  const program = buildProgram(
    {
      withPeer: (work, mode, command) => withPeer(commonOptions(command), { output, shutdown }, mode, work),
      withContacts: (work, command) => withContacts(commonOptions(command), { output, shutdown }, work),
    },
    (text) => usageErrors.push(text.replace(/^error: /, "").trim()),
  );
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof Interrupted) {
      exitCode = error.exitCode;
    } else if (error instanceof CommanderError) {
      exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
      if (usageErrors.length > 0) {
        const message = `${usageErrors.join(" ")} (streamlet --help shows the usage)`;
        output.error({ code: "invalid-argument", message: message.replace(/\s+/g, " ") });
      }
    } else {
      exitCode = EXIT_FAILURE;
      output.error(describeError(error));
    }
  }
  await output.flush();
  return exitCode;
}

main(process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
