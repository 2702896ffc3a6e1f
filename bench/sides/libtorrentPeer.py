"""The libtorrent side of `npm run bench`: one process per peer, JSON lines on stdout.

    libtorrentPeer.py make FILE TORRENT PIECE_BYTES   writes a v2-only torrent
    libtorrentPeer.py seed FILE TORRENT               {"event":"ready","port":...}, then seeds until stdin closes
    libtorrentPeer.py get TORRENT FOLDER PORT         downloads from 127.0.0.1:PORT, {"event":"done",...}, then waits for stdin to close

`seconds` counts from the connection to the last verified block; `waited` is what libtorrent let pass before it dialled (it
looks at new addresses once a second), which is left out of the comparison.

Settings for a fair run on one machine: one TCP connection, unencrypted, no rate limits, nothing that looks for other peers.
"""
import json
import os
import sys
import threading
import time

import libtorrent as lt


def say(**event):
    print(json.dumps(event), flush=True)


def until_stdin_closes():
    closed = threading.Event()

    def watch():
        sys.stdin.read()
        closed.set()

    threading.Thread(target=watch, daemon=True).start()
    return closed


def session():
    return lt.session({
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        "in_enc_policy": 2,
        "out_enc_policy": 2,
        "download_rate_limit": 0,
        "upload_rate_limit": 0,
        "alert_mask": 0,
    })


def add(ses, torrent, folder, seed_mode):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if seed_mode:
        params.flags |= lt.torrent_flags.seed_mode
    return ses.add_torrent(params)


def make(file, torrent, piece_bytes):
    files = lt.file_storage()
    lt.add_files(files, file)
    made = lt.create_torrent(files, int(piece_bytes), lt.create_torrent_flags_t.v2_only)
    lt.set_piece_hashes(made, os.path.dirname(file))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))


def seed(file, torrent):
    closed = until_stdin_closes()
    ses = session()
    handle = add(ses, torrent, os.path.dirname(file), True)
    while not handle.status().is_seeding:
        time.sleep(0.01)
    say(event="ready", port=ses.listen_port())
    closed.wait()


def get(torrent, folder, port):
    closed = until_stdin_closes()
    ses = session()
    handle = add(ses, torrent, folder, False)
    while handle.status().state in (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data):
        time.sleep(0.001)
    asked = dialled = time.monotonic()
    handle.connect_peer(("127.0.0.1", int(port)))
    connected = None
    while not (status := handle.status()).is_seeding:
        if connected is None and status.num_connections > 0:
            connected = time.monotonic()
        # A first attempt that comes too early for the other side is repeated.
        if status.num_connections == 0 and time.monotonic() - dialled > 2:
            dialled = time.monotonic()
            handle.connect_peer(("127.0.0.1", int(port)))
        # Asking costs the other side's threads time: the result may be up to 5 ms late.
        time.sleep(0.005)
    done = time.monotonic()
    say(event="done", seconds=done - (connected or asked), waited=(connected or asked) - asked)
    closed.wait()


if __name__ == "__main__":
    {"make": make, "seed": seed, "get": get}[sys.argv[1]](*sys.argv[2:])
