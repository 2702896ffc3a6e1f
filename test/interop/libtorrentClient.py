"""libtorrent 2 as a program that a test drives: one JSON object on stdin says what to do, events come as JSON lines.

{"save": DIR, "magnet": URI | "torrent": FILE | "create": {"file": FILE, "version": "v1"|"v2"|"hybrid"},
 "connect": [[HOST, PORT], ...], "encryption": "off"|"default"}
Events: {"event": "ready", "port": N, "torrent": FILE?, "magnet": URI?}, {"event": "done"}, {"event": "error", "message": TEXT}.
It goes on, seeding, until stdin is closed.
"""
import base64
import json
import os
import select
import sys
import time

import libtorrent as lt

CREATE_FLAGS = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}
PIECE_BYTES = 64 * 1024


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


spec = json.loads(sys.stdin.readline())
settings = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "announce_to_all_trackers": True,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.tracker_notification | lt.alert.category_t.connect_notification | lt.alert.category_t.peer_notification,
    "min_reconnect_time": 1,
    "peer_connect_timeout": 3,
}
if spec.get("encryption") != "default":
    settings.update({
        "out_enc_policy": int(lt.enc_policy.disabled),
        "in_enc_policy": int(lt.enc_policy.disabled),
    })
session = lt.session(settings)

params = lt.add_torrent_params()
ready = {}
if "create" in spec:
    path = spec["create"]["file"]
    files = lt.file_storage()
    lt.add_files(files, path)
    creator = lt.create_torrent(files, PIECE_BYTES, CREATE_FLAGS[spec["create"]["version"]])
    lt.set_piece_hashes(creator, os.path.dirname(path))
    torrent = lt.bencode(creator.generate())
    params = lt.load_torrent_buffer(torrent) if hasattr(lt, "load_torrent_buffer") else params
    params.ti = lt.torrent_info(lt.bdecode(torrent))
    ready["torrent"] = base64.b64encode(torrent).decode()
    ready["magnet"] = lt.make_magnet_uri(params.ti)
elif "magnet" in spec:
    params = lt.parse_magnet_uri(spec["magnet"])
else:
    params.ti = lt.torrent_info(spec["torrent"])
params.save_path = spec["save"]
params.flags &= ~lt.torrent_flags.auto_managed
params.flags &= ~lt.torrent_flags.paused
handle = session.add_torrent(params)
emit("ready", port=session.listen_port(), **ready)

done = False
connected_at = 0
while True:
    for alert in session.pop_alerts():
        if os.environ.get("STREAMLET_INTEROP_LOG"):
            print(alert.what(), alert.message(), file=sys.stderr, flush=True)
        if isinstance(alert, (lt.torrent_error_alert, lt.metadata_failed_alert)):
            emit("error", message=alert.message())
    status = handle.status()
    if not done and status.is_seeding:
        done = True
        emit("done")
    if not done and time.monotonic() - connected_at > 0.3:
        connected_at = time.monotonic()
        if status.num_peers == 0:
            for host, port in spec.get("connect", []):
                handle.connect_peer((host, port))
    if select.select([sys.stdin], [], [], 0.05)[0] and not sys.stdin.readline():
        break
session.remove_torrent(handle)
del handle
del session
