/** The notice over the picture: what is in the way, or missing, and what can be done about it. */
import type { Conversion, PlayerStrings } from "../rpc/playerPanel";
import { fillText } from "../rpc/webviewMessages";
import { SOUND_NAMES, type Sound } from "./codecs";
import { button, checkbox } from "./controls";
import { element } from "./dom";
import type { Step } from "./playLadder";

/** By weight: while a problem keeps it from playing, nothing else is worth saying. */
const KINDS = ["problem", "interrupted", "step"] as const;
export type NoticeKind = (typeof KINDS)[number];

export interface NoticeContent {
  text: string;
  advice?: string;
  actions: Node[];
  /** It plays all the same: the person may close the notice. */
  dismiss?: string;
}

export class PlayerNotice {
  readonly element = element("div", { class: "over", role: "alert", hidden: true });
  private readonly contents = new Map<NoticeKind, NoticeContent>();
  private shown = "";

  set(kind: NoticeKind, content: NoticeContent | undefined): void {
    if (content) this.contents.set(kind, content);
    else this.contents.delete(kind);
    this.draw();
  }

  /** The same words are not said twice. */
  private draw(): void {
    const kind = KINDS.find((each) => this.contents.has(each));
    const content = kind && this.contents.get(kind);
    const said = content ? `${kind} ${content.text} ${content.advice ?? ""}` : "";
    if (said === this.shown) return;
    this.shown = said;
    this.element.hidden = !content;
    if (!kind || !content) return this.element.replaceChildren();
    const { text, advice, actions, dismiss } = content;
    this.element.replaceChildren(
      element(
        "div",
        { class: "words" },
        element("div", {}, text),
        ...(advice ? [element("div", { class: "note" }, advice)] : []),
      ),
      ...(dismiss
        ? [button({ label: dismiss, kind: "icon", icon: "remove", onClick: () => this.set(kind, undefined) })]
        : []),
      element("div", { class: "buttons" }, ...actions),
    );
  }
}

export interface StepActions {
  convert(always: boolean): void;
  browser(): void;
  systemPlayer(): void;
  retry(): void;
}

/** What is said of a step of the ladder; undefined where nothing is missing. */
export function stepContent(
  step: Step,
  { sound, conversion }: { sound: Sound | undefined; conversion: Conversion | undefined },
  strings: PlayerStrings,
  act: StepActions,
): NoticeContent | undefined {
  if (!step.missing) return undefined;
  const noSound = sound ? fillText(strings.noSoundOf, SOUND_NAMES[sound]) : strings.noSound;
  let always = false;
  const asks = conversion === "ask";
  return {
    text: step.missing === "picture" ? strings.noPicture : noSound,
    ...(conversion ? { advice: strings.advice[conversion] } : {}),
    actions: [
      ...(asks ? [button({ label: strings.convert, kind: "primary", onClick: () => act.convert(always) })] : []),
      button({ label: strings.browser, kind: asks ? "secondary" : "primary", onClick: act.browser }),
      button({ label: strings.playInSystemPlayer, onClick: act.systemPlayer }),
      ...(conversion === "missing" ? [button({ label: strings.retry, onClick: act.retry })] : []),
      ...(asks
        ? [
            checkbox({
              label: strings.always,
              hint: strings.alwaysHint,
              checked: false,
              onChange: (checked) => {
                always = checked;
              },
            }),
          ]
        : []),
    ],
    ...(step.rung ? { dismiss: strings.dismiss } : {}),
  };
}
