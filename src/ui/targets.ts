/**
 * What a command is about. It may come from a row (with the other selected rows), from a toast (a key), from a key binding
 * (the view's selection) or from the command palette (then a quick pick asks).
 */
import { type QuickPickItem, window } from "vscode";
import type { Contact, LibraryVideo, NetworkPeer, NetworkVideo } from "../peer/status";
import type { App } from "./app";
import { inform, withoutIcons } from "./notify";
import type { DetailsTarget } from "./panels/detailsPanel";
import { describeNetworkVideo, describeVideo } from "./views/descriptions";
import type { PersonNode } from "./views/peersTree";
import { type Person, personOfContact, personOfPeer } from "./views/people";
import { describePerson, nameOf } from "./views/peopleText";

export interface Question<T> {
  /** Which rows it makes sense for. */
  filter: (value: T) => boolean;
  placeHolder: string;
  /** Said when there is nothing to choose from. */
  none: string;
  /** One at a time, however many are selected. */
  single?: boolean;
}

export async function libraryTargets(
  app: App,
  args: unknown[],
  question: Question<LibraryVideo>,
): Promise<LibraryVideo[]> {
  const all = app.host.state?.snapshot.videos ?? [];
  const fresh = (keys: readonly string[]) => all.filter((video) => keys.includes(video.key));
  const given = fresh(givenKeys(args, (node) => (node.kind === "video" ? node.list.value.key : ownKey(app, node))));
  const selected = args.length === 0 && app.videos.view.visible ? fresh(selectedKeys(app)) : [];
  const items = (video: LibraryVideo) => ({ label: video.title, description: describeVideo(video) });
  return choose(given, selected, all, question, items);
}

export async function networkTargets(
  app: App,
  args: unknown[],
  question: Question<NetworkVideo>,
): Promise<NetworkVideo[]> {
  const given = nodesOf(args).flatMap((node) => (node.kind === "network" ? [node.list.value] : []));
  const selected =
    args.length === 0 && app.network.view.visible
      ? app.network.view.selection.flatMap((node) => (node.kind === "network" ? [node.list.value] : []))
      : [];
  const items = (video: NetworkVideo) => ({ label: video.title, description: describeNetworkVideo(video) });
  return choose(given, selected, app.network.videos, question, items);
}

/** From a row of Peers (whoever it is: friend, user, blocked), a fingerprint, the view's selection, or a quick pick. */
export async function personTarget(app: App, args: unknown[], question: Question<Person>): Promise<Person | undefined> {
  const { people } = app.peers;
  const byKey = people.filter((person) => person.fingerprint === args[0]);
  const given = args.length > 0 ? personOfRow(args[0]) : undefined;
  const selected =
    args.length === 0 && app.peers.view.visible
      ? app.peers.view.selection.flatMap((row) => personOfRow(row) ?? [])
      : [];
  const items = (person: Person) => ({ label: nameOf(person), description: describePerson(person) });
  const found = given ? [given] : byKey;
  return (await choose(found, selected, people, { ...question, single: true }, items))[0];
}

/** One video of the library or of the network, or what both know of the same one. */
export async function videoTarget(
  app: App,
  args: unknown[],
  { placeHolder, none }: Pick<Question<unknown>, "placeHolder" | "none">,
): Promise<DetailsTarget | undefined> {
  const library = app.host.state?.snapshot.videos ?? [];
  const ofLibrary = (video: LibraryVideo): DetailsTarget => ({
    library: video,
    network: app.network.videos.find(({ id }) => id === video.id),
  });
  const ofNetwork = (video: NetworkVideo): DetailsTarget => ({
    network: video,
    library: app.network.libraryVideo(video),
  });
  const ofRow = (row: Row): DetailsTarget[] => {
    return row.kind === "video" ? [ofLibrary(row.list.value)] : [ofNetwork(row.list.value)];
  };
  const byKey = library.filter((video) => video.key === args[0]).map(ofLibrary);
  const given = [...byKey, ...nodesOf(args).flatMap(ofRow)];
  const selected = [app.network.view, app.videos.view].flatMap((view) =>
    args.length === 0 && view.visible ? view.selection.flatMap((node) => (isRow(node) ? ofRow(node) : [])) : [],
  );
  const rest = app.network.videos.filter((video) => !app.network.libraryVideo(video));
  const all = [...library.map(ofLibrary), ...rest.map(ofNetwork)];
  const describe = (target: DetailsTarget) => {
    const { library: own, network } = target;
    const description = own ? describeVideo(own) : network ? describeNetworkVideo(network) : "";
    return { label: (own ?? network)?.title ?? "", description };
  };
  return (await choose(given, selected, all, { filter: () => true, placeHolder, none, single: true }, describe))[0];
}

/** What links are made of: a key of the library, or the id of a video that is only offered. Empty where no rows were given. */
export function linkTargets(app: App, args: unknown[]): { video: string; isPublic: boolean }[] {
  const rows = nodesOf(args);
  if (!rows.some((row) => row.kind === "network" && ownKey(app, row) === undefined)) return [];
  return rows.flatMap((row) => {
    const { audience } = row.list.value;
    const key = row.kind === "video" ? row.list.value.key : ownKey(app, row);
    const video = key ?? row.list.value.id;
    return video ? [{ video, isPublic: audience === "public" }] : [];
  });
}

/** The person that a row of the Peers view is about. */
export function personOfRow(value: unknown): Person | undefined {
  const { kind, list } = (value ?? {}) as Partial<PersonNode>;
  if (!list) return undefined;
  if (kind === "peer") return personOfPeer(list.value as NetworkPeer);
  return kind === "friend" || kind === "blocked" ? personOfContact(list.value as Contact) : undefined;
}

/** The structure that rows of videos share. */
type Row = { kind: "video"; list: { value: LibraryVideo } } | { kind: "network"; list: { value: NetworkVideo } };

function isRow(value: unknown): value is Row {
  const { kind, list } = (value ?? {}) as Partial<Row>;
  return list !== undefined && (kind === "video" || kind === "network");
}

/** VS Code passes the row that was clicked, then all selected rows if it is one of them. */
function nodesOf([row, selection]: unknown[]): Row[] {
  const several = Array.isArray(selection) ? selection.filter(isRow) : [];
  if (several.length > 0) return several;
  return isRow(row) ? [row] : [];
}

function givenKeys(args: unknown[], keyOf: (node: Row) => string | undefined): string[] {
  if (typeof args[0] === "string") return [args[0]];
  return nodesOf(args).flatMap((node) => keyOf(node) ?? []);
}

/** A row of the Network view stands for the library's entry of that video as well. */
function ownKey(app: App, node: Row): string | undefined {
  return node.kind === "network" ? app.network.libraryVideo(node.list.value)?.key : undefined;
}

function selectedKeys(app: App): string[] {
  return app.videos.view.selection.flatMap((node) => (node.kind === "video" ? [node.list.value.key] : []));
}

async function choose<T>(
  given: T[],
  selected: T[],
  all: readonly T[],
  question: Question<T>,
  describe: (value: T) => QuickPickItem,
): Promise<T[]> {
  const direct = (given.length > 0 ? given : selected).filter(question.filter);
  if (direct.length > 0) return question.single ? direct.slice(0, 1) : direct;
  const candidates = all.filter(question.filter);
  if (candidates.length === 0) {
    await inform(question.none);
    return [];
  }
  const items = candidates.map((value) => {
    const { label, description = "" } = describe(value);
    return { label: withoutIcons(label), description: withoutIcons(description), value };
  });
  const options = { placeHolder: question.placeHolder, matchOnDescription: true };
  if (question.single) {
    const picked = await window.showQuickPick(items, options);
    return picked ? [picked.value] : [];
  }
  const picked = await window.showQuickPick(items, { ...options, canPickMany: true });
  return picked?.map((item) => item.value) ?? [];
}
