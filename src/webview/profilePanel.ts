import "./page.css";
import {
  DEFAULT_TRACKER,
  type FromProfilePage,
  type PortHintMessage,
  type ProfileText,
  portAdvice,
  type ShowProfileMessage,
  type ToProfilePage,
  toProfileDraft,
  trimProfile,
  validatePort,
  validateProfile,
} from "../rpc/profilePanel";
import {
  announcer,
  button,
  focusWhenActive,
  handleFormKeys,
  setButtonIcon,
  setButtonLabel,
  type TextField,
  textField,
} from "./controls";
import { element } from "./dom";
import { connectToHost } from "./host";
import { trackerList } from "./trackerList";

/** What outlives a hidden page. */
interface SavedForm {
  text: ProfileText;
}

interface ProfileForm {
  showPortHint(message: PortHintMessage): void;
  showCopied(): void;
}

/** The host opens a socket to find out: not at every key. */
const PORT_PROBE_DELAY_MS = 300;

const host = connectToHost<ToProfilePage, FromProfilePage, SavedForm>({
  show(message) {
    form ??= makeForm(message);
  },
  portHint: (message) => form?.showPortHint(message),
  fingerprintCopied: () => form?.showCopied(),
});

let form: ProfileForm | undefined;

function makeForm(message: ShowProfileMessage): ProfileForm {
  const { strings } = message;
  const initial: ProfileText = host.state?.text ?? {
    peerId: message.initial.peerId,
    port: String(message.initial.port),
    trackers: message.initial.trackers.length > 0 ? message.initial.trackers : [DEFAULT_TRACKER],
  };
  const live = announcer();
  let nameTouched = initial.peerId !== "";
  let probeTimer: ReturnType<typeof setTimeout> | undefined;
  let portHint: PortHintMessage | undefined;

  const peerId = textField({
    label: strings.peerId,
    hint: strings.peerIdHint,
    value: initial.peerId,
    required: true,
    onInput() {
      nameTouched = true;
      onEdit(peerId);
    },
  });
  const port = textField({
    label: strings.port,
    hint: strings.portHint,
    value: initial.port,
    numeric: true,
    required: true,
    onInput() {
      onEdit(port);
      probePort();
    },
  });
  const trackers = trackerList({ strings, values: initial.trackers, live, onChange: onEdit });
  const copyButton = button({
    label: strings.copy,
    kind: "icon",
    icon: "copy",
    onClick: () => host.send({ type: "copyFingerprint" }),
  });

  function typedText(): ProfileText {
    return { peerId: peerId.value, port: port.value, trackers: trackers.values };
  }

  /** Shows what is wrong in the fields that were filled in; the answer is the first field that cannot be used. */
  function validate(): TextField | undefined {
    const text = trimProfile(typedText());
    const problems = validateProfile(text, message.takenNames);
    peerId.setProblem(problems.peerId && nameTouched ? strings[problems.peerId] : undefined);
    port.setProblem(problems.port && strings[problems.port]);
    port.setAdvice(problems.port ? undefined : adviceOnPort(Number(text.port)));
    trackers.setProblems(problems.trackers);
    if (problems.peerId) return peerId;
    if (problems.port) return port;
    return trackers.fields.find((_, index) => problems.trackers[index]);
  }

  function adviceOnPort(value: number): string | undefined {
    const advice = portAdvice(value, message.platform);
    const texts = [portHint?.port === value ? portHint.text : undefined, advice && strings[advice]];
    return texts.filter((text) => text !== undefined).join(" ") || undefined;
  }

  function onEdit(field?: TextField): void {
    validate();
    live.announceSoon(field?.remark);
    host.saveState({ text: typedText() });
  }

  function probePort(): void {
    clearTimeout(probeTimer);
    const text = port.value.trim();
    if (!message.probesPorts || validatePort(text) !== undefined) return;
    probeTimer = setTimeout(() => host.send({ type: "probePort", port: Number(text) }), PORT_PROBE_DELAY_MS);
  }

  function submit(): void {
    nameTouched = true;
    trackers.touchAll();
    const invalid = validate();
    const draft = toProfileDraft(trimProfile(typedText()), message.takenNames);
    if (draft) host.send({ type: "submit", draft });
    else invalid?.focus();
  }

  function cancel(): void {
    host.send({ type: "cancel" });
  }

  document.body.replaceChildren(
    element(
      "main",
      {},
      element("h1", {}, strings.heading),
      element("p", { class: "intro" }, strings.intro),
      element("div", { class: "columns" }, peerId.element, port.element),
      trackers.element,
      message.fingerprint
        ? element(
            "section",
            { class: "field", "aria-label": strings.fingerprint },
            element("div", { class: "label" }, strings.fingerprint),
            element(
              "div",
              { class: "line" },
              element("code", { class: "fingerprint" }, message.fingerprint),
              copyButton,
            ),
            element("div", { class: "note" }, strings.fingerprintHint),
          )
        : element("p", { class: "note" }, strings.keyNote),
      element(
        "div",
        { class: "actions" },
        button({ label: strings.save, kind: "primary", onClick: submit }),
        button({ label: strings.cancel, onClick: cancel }),
      ),
      live.element,
    ),
  );
  validate();
  probePort();
  handleFormKeys({ onSubmit: submit, onCancel: cancel });
  focusWhenActive(peerId);

  return {
    showPortHint(hint) {
      portHint = hint;
      validate();
      // Whoever is still at the port hears the answer; one who has moved on is not interrupted.
      if (document.activeElement === port.input) live.announceSoon(port.remark);
    },
    showCopied() {
      setButtonLabel(copyButton, strings.copied);
      setButtonIcon(copyButton, "done");
      live.announce(strings.copied);
    },
  };
}

host.send({ type: "ready" });
