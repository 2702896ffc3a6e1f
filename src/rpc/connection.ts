/**
 * One typed request/answer layer for every border that the peer service crosses: window <-> worker thread (MessagePort) and
 * window <-> window (local socket). The serving side validates what arrives; errors keep their code on the way back.
 *
 * This file knows neither Node nor zod at run time: the caller brings the connection, the serving side its schemas.
 */
import { type Disposable, type MessageConnection, ResponseError } from "vscode-jsonrpc";
import { ERROR_CODES, type ErrorCode, type ErrorInfo, StreamletError, toErrorInfo } from "../wire/errors";

/** What may be served: methods that take plain JSON values and answer with a promise. */
export type Service<S> = { [K in keyof S]: (...args: never[]) => Promise<unknown> };

/** Checks the arguments of one method; zod's `safeParse` of a tuple schema has this form. */
export interface ArgumentsSchema<A> {
  safeParse(value: unknown): { success: true; data: A } | { success: false; error: { message: string } };
}

/** One schema per method: a method without one does not compile. */
export type Schemas<S extends Service<S>> = { [K in keyof S]: ArgumentsSchema<Parameters<S[K]>> };

/** JSON-RPC code of an error that carries an `ErrorInfo` (any number outside the range that JSON-RPC reserves). */
const STREAMLET_ERROR = 1;

/** Answers every method in `schemas` with `service`; arguments that do not fit are refused as `invalid-argument`. */
export function serve<S extends Service<S>>(
  connection: MessageConnection,
  schemas: Schemas<S>,
  service: S,
): Disposable {
  const registrations = (Object.keys(schemas) as (keyof S & string)[]).map((name) =>
    connection.onRequest(name, async (params: unknown) => {
      try {
        const args = schemas[name].safeParse(argumentsOf(params));
        if (!args.success) {
          throw new StreamletError(
            "invalid-argument",
            `The call of ${name} has wrong arguments: ${args.error.message}`,
          );
        }
        return (await service[name](...args.data)) ?? null;
      } catch (error) {
        const info = toErrorInfo(error);
        return new ResponseError(STREAMLET_ERROR, info.message, info);
      }
    }),
  );
  return {
    dispose: () => {
      for (const registration of registrations) registration.dispose();
    },
  };
}

/**
 * The other end of `serve`: every method sends a request. Rejections are `StreamletError`s with the code that was thrown
 * over there; a connection that is or gets closed rejects with `connection-lost`.
 */
export function proxy<S extends Service<S>>(connection: MessageConnection): S {
  const call = async (name: string, args: unknown[]) => {
    try {
      return (await connection.sendRequest(name, { args })) ?? undefined;
    } catch (error) {
      throw restoreError(error);
    }
  };
  return new Proxy({} as S, {
    // A proxy that answered `then` would be taken for a promise and never be returned by an async function.
    get: (_, name) =>
      typeof name === "string" && name !== "then" ? (...args: unknown[]) => call(name, args) : undefined,
  });
}

/** Sends one event of `E`; resolves when the other side's socket or port has taken it. */
export function sendEvent<E extends object, K extends keyof E & string>(
  connection: MessageConnection,
  name: K,
  payload: E[K] extends (payload: infer P) => void ? P : never,
): Promise<void> {
  return connection.sendNotification(name, { args: [payload] });
}

/** Hears one event of `E`. */
export function onEvent<E extends object, K extends keyof E & string>(
  connection: MessageConnection,
  name: K,
  listener: E[K],
): Disposable {
  return connection.onNotification(name, (params: unknown) => {
    (listener as (...args: unknown[]) => void)(...argumentsOf(params));
  });
}

function argumentsOf(params: unknown): unknown[] {
  const args = (params as { args?: unknown } | undefined)?.args;
  return Array.isArray(args) ? args : [];
}

function restoreError(error: unknown): StreamletError {
  const info = error instanceof ResponseError ? errorInfo(error.data) : undefined;
  if (info)
    return new StreamletError(info.code, info.message, { cause: error, ...(info.data ? { data: info.data } : {}) });
  return new StreamletError("connection-lost", "The peer's process is gone or was restarted: try again.", {
    cause: error,
  });
}

function errorInfo(value: unknown): ErrorInfo | undefined {
  const { code, message, data } = (value ?? {}) as Partial<ErrorInfo>;
  if (typeof message !== "string" || !ERROR_CODES.includes(code as ErrorCode)) return undefined;
  return { code: code as ErrorCode, message, ...(data ? { data } : {}) };
}
