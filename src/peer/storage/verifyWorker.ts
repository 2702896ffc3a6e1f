/**
 * The verify worker: checks every 16 KiB block against its leaf hash, then writes the piece straight from shared memory.
 * One worker serves all downloads: a second one gained nothing on two cores (bench/).
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { StreamletError, toErrorInfo } from "../../wire/errors";
import { checkPiece } from "./checkPiece";
import type { VerifyReply, VerifyRequest } from "./verifyProtocol";

if (!parentPort) throw new Error("verifyWorker runs in a worker thread");
const port = parentPort;
const slots = new Map<number, Buffer>();
const files = new Map<number, { fd: number } | { error: unknown }>();
/** One buffer for rechecks, grown to the largest piece seen. */
let scratch = Buffer.alloc(0);

function reply(message: VerifyReply): void {
  port.postMessage(message);
}

port.on("message", (message: VerifyRequest) => {
  try {
    handle(message);
  } catch (error) {
    if ("job" in message) reply({ type: "failed", job: message.job, error: toErrorInfo(asStorageError(error)) });
  }
});

function handle(message: VerifyRequest): void {
  switch (message.type) {
    case "slot":
      slots.set(message.slot, Buffer.from(message.memory));
      return;
    case "dropSlot":
      slots.delete(message.slot);
      return;
    case "open":
      openFile(message.file, message.path, message.length);
      return;
    case "close": {
      const file = files.get(message.file);
      files.delete(message.file);
      if (file && "fd" in file) closeSync(file.fd);
      reply({ type: "closed", job: message.job });
      return;
    }
    case "write": {
      const data = slots.get(message.slot)?.subarray(0, message.length);
      if (!data) throw new Error(`unknown slot ${message.slot}`);
      const verdict = checkPiece(data, message.proof);
      if (verdict.bad) return reply({ type: "bad", job: message.job, bad: verdict.bad });
      writeAll(fdOf(message.file), data, message.position);
      return reply({ type: "good", job: message.job, leaves: verdict.leaves });
    }
    case "recheck": {
      if (scratch.length < message.length) scratch = Buffer.alloc(message.length);
      const data = scratch.subarray(0, message.length);
      if (!readAll(fdOf(message.file), data, message.position))
        return reply({ type: "bad", job: message.job, bad: [] });
      const verdict = checkPiece(data, message.proof);
      if (verdict.bad) return reply({ type: "bad", job: message.job, bad: verdict.bad });
      return reply({ type: "good", job: message.job, leaves: verdict.leaves });
    }
  }
}

/** An error at opening is kept and given to every job on that file. */
function openFile(id: number, path: string, length: number): void {
  try {
    const fd = openSync(path, "a+"); // creates it, never truncates
    closeSync(fd);
    const writable = openSync(path, "r+");
    if (fstatSync(writable).size !== length) ftruncateSync(writable, length);
    files.set(id, { fd: writable });
  } catch (error) {
    files.set(id, { error });
  }
}

function fdOf(id: number): number {
  const file = files.get(id);
  if (!file) throw new Error(`unknown file ${id}`);
  if ("error" in file) throw file.error;
  return file.fd;
}

/**
 * Of a longer write Linux makes page-cache folios of up to as much at once, from the large free blocks that a virtual machine has
 * given back to its host: to touch them again took 2 s of CPU per GiB. Small blocks stay with the machine, and a system call for
 * 32 KiB costs next to nothing.
 */
const WRITE_BYTES = 32 * 1024;

function writeAll(fd: number, data: Buffer, position: number): void {
  for (let done = 0; done < data.length; ) {
    done += writeSync(fd, data, done, Math.min(data.length - done, WRITE_BYTES), position + done);
  }
}

function readAll(fd: number, data: Buffer, position: number): boolean {
  let done = 0;
  while (done < data.length) {
    const n = readSync(fd, data, done, data.length - done, position + done);
    if (n === 0) return false;
    done += n;
  }
  return true;
}

function asStorageError(error: unknown): StreamletError {
  if (error instanceof StreamletError) return error;
  const code = (error as NodeJS.ErrnoException)?.code;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new StreamletError("disk-full", "The disk is full: free some space, then resume the download.", {
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new StreamletError("write-failed", `The video cannot be written: ${reason}`, { cause: error });
}
