import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  COMMANDS,
  CONTEXT_KEYS,
  SETTINGS,
  VIDEO_EXTENSIONS,
  VIEW_CONTAINER,
  Views,
  WALKTHROUGH,
} from "../../src/ui/contributions";

interface Item {
  command: string;
  when?: string;
}
interface Manifest {
  contributes: {
    commands: { command: string; title: string; category?: string; enablement?: string }[];
    views: Record<string, { id: string }[]>;
    viewsContainers: { activitybar: { id: string; icon: string }[] };
    viewsWelcome: { view: string; contents: string; when: string }[];
    menus: Record<string, Item[]>;
    keybindings: Item[];
    walkthroughs: {
      id: string;
      steps: {
        id: string;
        title: string;
        description: string;
        media: { svg: string; altText: string };
        completionEvents: string[];
      }[];
    }[];
    configuration: { properties: Record<string, { scope: string; default: unknown; markdownDescription: string }> };
  };
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
}

const texts = JSON.parse(readFileSync(resolve("package.nls.json"), "utf8")) as Record<string, string>;
const raw = readFileSync(resolve("package.json"), "utf8");
/** package.json as VS Code reads it: each "%key%" replaced by its text. */
const { contributes, capabilities } = JSON.parse(raw, (_, value) =>
  typeof value === "string" && /^%.+%$/.test(value) ? (texts[value.slice(1, -1)] ?? "") : value,
) as Manifest;
const items = [...Object.values(contributes.menus).flat(), ...contributes.keybindings];
const steps = contributes.walkthroughs.flatMap((walkthrough) => walkthrough.steps);
const sorted = (list: Iterable<string>) => [...list].sort();

describe("package.json and the code", () => {
  it("have the same commands, each with a title and the category", () => {
    assert.deepEqual(sorted(contributes.commands.map((entry) => entry.command)), sorted(COMMANDS));
    for (const { title, category } of contributes.commands) {
      assert.ok(title);
      assert.equal(category, "Streamlet");
    }
  });

  it("have a text for every key of package.json, and no text that nothing uses", () => {
    const used = new Set([...raw.matchAll(/"%([^"%]+)%"/g)].map(([, key]) => key as string));
    assert.deepEqual(sorted(used), sorted(Object.keys(texts)));
    for (const [key, text] of Object.entries(texts)) assert.ok(text.trim(), key);
  });

  it("have the same views, in the container of the code", () => {
    assert.deepEqual(Object.keys(contributes.views), [VIEW_CONTAINER]);
    const ids = contributes.views[VIEW_CONTAINER]?.map((view) => view.id) ?? [];
    assert.deepEqual(sorted(ids), sorted(Object.values(Views)));
    assert.deepEqual(
      contributes.viewsContainers.activitybar.map((container) => container.id),
      [VIEW_CONTAINER],
    );
  });

  it("have the same settings, none of which a workspace can change", () => {
    assert.deepEqual(sorted(Object.keys(contributes.configuration.properties)), sorted(SETTINGS));
    for (const setting of Object.values(contributes.configuration.properties)) {
      assert.ok(["application", "machine"].includes(setting.scope));
      assert.notEqual(setting.default, undefined);
      assert.ok(setting.markdownDescription);
    }
    assert.deepEqual(sorted(capabilities.untrustedWorkspaces.restrictedConfigurations), sorted(SETTINGS));
  });

  it("menus, keys and welcome texts name commands and views that exist", () => {
    const commands: readonly string[] = COMMANDS;
    for (const item of items) assert.ok(commands.includes(item.command), item.command);
    for (const { view, contents } of contributes.viewsWelcome) {
      assert.ok((Object.values(Views) as string[]).includes(view));
      for (const [, command] of contents.matchAll(/\(command:([^)]+)\)/g))
        assert.ok(commands.includes(command ?? ""), command);
    }
  });

  it("the walkthrough is the one that the code opens; its steps have pictures that follow the theme, and real ends", () => {
    assert.deepEqual(
      contributes.walkthroughs.map(({ id }) => id),
      [WALKTHROUGH],
    );
    const commands = [...COMMANDS, ...Object.values(Views).map((view) => `${view}.focus`)] as readonly string[];
    for (const { title, description, media, completionEvents } of steps) {
      assert.ok(title && media.altText);
      const picture = readFileSync(resolve(media.svg), "utf8");
      assert.match(picture, /var\(--vscode-/);
      // What has no words needs no translation; the page that shows it allows no styles.
      assert.doesNotMatch(picture, /<text|<style|style=/);
      assert.ok(completionEvents.length > 0);
      for (const [, command] of description.matchAll(/\(command:([^)]+)\)/g))
        assert.ok(commands.includes(command ?? ""), command);
      for (const event of completionEvents) {
        const [, kind, what = ""] = /^(onCommand|onContext):(.+)$/.exec(event) ?? [];
        if (kind === "onCommand") assert.ok(commands.includes(what), event);
        else assert.equal(kind, "onContext", event);
      }
    }
  });

  it("conditions use context keys that the code sets", () => {
    const clauses = [
      ...steps.flatMap(({ completionEvents }) => completionEvents.filter((event) => event.startsWith("onContext:"))),
      ...items.map((item) => item.when),
      ...contributes.viewsWelcome.map((welcome) => welcome.when),
      ...contributes.commands.map((command) => command.enablement),
    ];
    const known: readonly string[] = [...CONTEXT_KEYS, ...Object.values(Views)];
    for (const clause of clauses) {
      for (const [key] of (clause ?? "").matchAll(/streamlet\.[A-Za-z]+/g))
        assert.ok(known.includes(key), `${key} in ${clause}`);
    }
  });

  it("conditions hold regular expressions that compile", () => {
    for (const { when = "" } of items) {
      for (const [, source = ""] of when.matchAll(/=~ \/((?:[^/\\]|\\.)+)\/i?/g))
        assert.doesNotThrow(() => new RegExp(source), when);
    }
  });

  it("offer the Explorer's context menu for every kind of video", () => {
    const clause = contributes.menus["explorer/context"]?.[0]?.when ?? "";
    for (const extension of VIDEO_EXTENSIONS) assert.match(clause, new RegExp(`\\b${extension}\\b`));
  });
});
