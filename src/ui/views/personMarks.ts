/** Marks beside names that one must not overlook: a warning for an impostor, the number of unread messages of a friend. */
import {
  type CancellationToken,
  type Disposable,
  FileDecoration,
  type FileDecorationProvider,
  l10n,
  ThemeColor,
  Uri,
  window,
} from "vscode";
import { unreadText } from "./peopleText";

const SCHEME = "streamlet-person";
/** VS Code shows two characters. */
const MOST_SHOWN = 9;

/** A row with this as its `resourceUri` is marked; all that the mark says is in it. */
export function markOf(fingerprint: string, mark: { impostor: true } | { unread: number }): Uri {
  const query = "unread" in mark ? `unread=${mark.unread}` : "impostor";
  return Uri.from({ scheme: SCHEME, path: `/${fingerprint}`, query });
}

export class PersonMarks implements FileDecorationProvider {
  static register(): Disposable {
    return window.registerFileDecorationProvider(new PersonMarks());
  }

  provideFileDecoration(uri: Uri, _token: CancellationToken): FileDecoration | undefined {
    if (uri.scheme !== SCHEME) return undefined;
    if (uri.query === "impostor") {
      return new FileDecoration("!", l10n.t("Not who they say"), new ThemeColor("errorForeground"));
    }
    const unread = Number(uri.query.replace("unread=", ""));
    const badge = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread);
    return new FileDecoration(badge, unreadText(unread), new ThemeColor("list.highlightForeground"));
  }
}
