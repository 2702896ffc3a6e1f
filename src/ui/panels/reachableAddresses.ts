/**
 * Addresses of this computer's loopback as the window reaches them: others, where VS Code runs in a browser or far away. VS Code is
 * asked once for each server: while it sets up a tab, its answer takes a fifth of a second, and a first frame waits for that.
 * What it has answered holds until a person closes a forwarded port; then whoever has failed asks anew.
 * See https://code.visualstudio.com/api/advanced-topics/remote-extensions#forwarding-localhost
 */
export class ReachableAddresses {
  /** What stands for `http://127.0.0.1:PORT/`. */
  private readonly known = new Map<string, Promise<string>>();

  /** @param ask VS Code (`env.asExternalUri`) */
  constructor(private readonly ask: (url: string) => Promise<string>) {}

  /** @param anew the known address leads nowhere */
  async of(url: string, { anew = false } = {}): Promise<string> {
    const { origin, pathname, search } = new URL(url);
    const server = `${origin}/`;
    if (anew) this.known.delete(server);
    const asked = this.known.get(server) ?? this.ask(server);
    this.known.set(server, asked);
    asked.catch(() => this.known.delete(server));
    const base = await asked;
    // One with a query of its own stands for the server's root alone.
    return base.endsWith("/") ? `${base}${pathname.slice(1)}${search}` : this.ask(url);
  }
}
