import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { StreamletError } from "../../../src/wire/errors";
import { app, deleteProfiles, freePort, runProfile, untilPhase } from "./support";

interface Stored {
  version: number;
  activeId?: string;
  profiles: { id: string; peerId: string; port: number }[];
}

describe("profiles in VS Code", () => {
  afterEach(async () => deleteProfiles(await app()));

  it("are kept in globalState, their keys in SecretStorage and nowhere else", async () => {
    const parts = await app();
    const id = await runProfile(parts, "alice");
    const stored = parts.context.globalState.get<Stored>("streamlet.profiles");
    assert.equal(stored?.activeId, id);
    assert.equal(stored?.profiles[0]?.peerId, "alice");
    assert.ok(!JSON.stringify(stored).includes("PRIVATE KEY"));
    assert.match((await parts.context.secrets.get(`streamlet.key.${id}`)) ?? "", /BEGIN PRIVATE KEY/);
    assert.ok(!JSON.stringify(parts.host.state).includes("PRIVATE KEY"));
  });

  it("go completely when they are deleted", async () => {
    const parts = await app();
    const id = await runProfile(parts, "alice");
    const folder = join(parts.context.globalStorageUri.fsPath, "profiles", id);
    assert.ok(existsSync(folder));
    await parts.service.deleteProfile(id);
    await untilPhase(parts, "noProfile");
    assert.ok(!existsSync(folder));
    assert.equal(await parts.context.secrets.get(`streamlet.key.${id}`), undefined);
    assert.deepEqual(parts.context.globalState.get<Stored>("streamlet.profiles")?.profiles, []);
  });

  it("run one at a time: selecting another stops the first", async () => {
    const parts = await app();
    const alice = await runProfile(parts, "alice");
    const bob = await runProfile(parts, "bob");
    assert.equal(parts.host.state?.activeId, bob);
    assert.equal(parts.host.state?.snapshot.peer.peerId, "bob");
    await parts.service.startProfile(alice);
    const state = await untilPhase(parts, "running");
    assert.equal(state.activeId, alice);
    assert.equal(state.profiles.length, 2);
  });

  it("name the port that is taken and the next free one", async () => {
    const parts = await app();
    const port = await freePort();
    const server = createServer().listen(port);
    try {
      const { token } = await parts.service.prepareIdentity();
      const { id } = await parts.service.createProfile({ peerId: "alice", port, trackers: ["127.0.0.1:1"] }, token);
      await assert.rejects(parts.service.startProfile(id), (error: StreamletError) => {
        assert.equal(error.code, "port-in-use");
        assert.equal(error.data?.port, port);
        return true;
      });
      await untilPhase(parts, "failed");
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
