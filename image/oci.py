#!/usr/bin/env python3
"""Writes a container image as an OCI archive, with no daemon and no base image: one static binary and what describes it.

    oci.py --version V --revision COMMIT --epoch SECONDS --out FILE.tar ARCHITECTURE=FOLDER...

Each FOLDER has `brooklet`, `sbom.cdx.json` and `licences.txt`. The same input gives the same bytes: names are in order, times are
those of the commit, nobody's user or umask is in it. With one architecture `docker load` of old reads the archive, too.
"""
import argparse
import gzip
import hashlib
import io
import json
import pathlib
import tarfile
import time

USER = 65532
CONFIG = {
    "User": f"{USER}:{USER}",
    "Entrypoint": ["/brooklet"],
    # For `docker run -p 9092:9092`: clients on the host are told `localhost`.
    "Cmd": ["serve", "--set", "listeners=PLAINTEXT://:9092", "--set", "advertised.listeners=PLAINTEXT://localhost:9092"],
    "Env": ["BROOKLET_DATA_DIR=/data", "BROOKLET_ADMIN=0.0.0.0:9644", "BROOKLET_CONNECT=0.0.0.0:8083"],
    "WorkingDir": "/data",
    "Volumes": {"/data": {}},
    "ExposedPorts": {"8083/tcp": {}, "9092/tcp": {}, "9644/tcp": {}},
    "StopSignal": "SIGTERM",
}
ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/:/\nbrooklet:x:{USER}:{USER}:brooklet:/data:/\n",
    "etc/group": f"root:x:0:\nbrooklet:x:{USER}:\n",
}
DOCUMENTS = "usr/share/doc/brooklet"


def layer(folder, epoch):
    """The file system, as a tar archive: (path, mode, owner, content) in the order of the paths; no content is a directory."""
    entries = [(path, 0o644, 0, text.encode()) for path, text in ACCOUNTS.items()]
    entries += [(f"{DOCUMENTS}/{name}", 0o644, 0, (folder / name).read_bytes()) for name in ("licences.txt", "sbom.cdx.json")]
    entries += [("brooklet", 0o755, 0, (folder / "brooklet").read_bytes()), ("data", 0o755, USER, None)]
    parents = {str(parent) for path, *_ in entries for parent in pathlib.PurePosixPath(path).parents if str(parent) != "."}
    entries += [(path, 0o755, 0, None) for path in parents]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, mode, owner, content in sorted(entries, key=lambda entry: entry[0]):
            add(archive, path, content, mode, owner, epoch)
    return made.getvalue()


def add(archive, path, content, mode, owner, epoch):
    entry = tarfile.TarInfo(path)
    entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, epoch
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


class Blobs:
    """What is stored by its digest."""

    def __init__(self):
        self.contents = {}

    def put(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        self.contents[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}

    def put_json(self, value, media_type):
        return self.put(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), media_type)


def image(blobs, architecture, folder, labels, epoch):
    tar = layer(folder, epoch)
    packed = blobs.put(gzip.compress(tar, compresslevel=9, mtime=0), "layer.v1.tar+gzip")
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": CONFIG | {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
        "history": [{"created": created, "created_by": "image/oci.py"}],
    }
    described = blobs.put_json(config, "config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described,
        "layers": [packed],
        "annotations": labels,
    }
    made = blobs.put_json(manifest, "manifest.v1+json")
    return made | {"platform": {"architecture": architecture, "os": "linux"}}, manifest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("--revision", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("architecture", nargs="+", metavar="ARCHITECTURE=FOLDER")
    args = parser.parse_args()
    labels = {
        "org.opencontainers.image.created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(args.epoch)),
        "org.opencontainers.image.description": "A Kafka for development",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": args.revision,
        "org.opencontainers.image.title": "brooklet",
        "org.opencontainers.image.version": args.version,
    }
    blobs = Blobs()
    folders = dict(pair.split("=", 1) for pair in args.architecture)
    images = [image(blobs, architecture, pathlib.Path(folder), labels, args.epoch) for architecture, folder in sorted(folders.items())]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    if len(images) == 1:
        top = images[0][0]
    else:
        top = blobs.put_json(index | {"manifests": [descriptor for descriptor, _ in images], "annotations": labels}, "index.v1+json")
    name = {"io.containerd.image.name": f"docker.io/library/brooklet:{args.version}", "org.opencontainers.image.ref.name": args.version}
    files = dict(blobs.contents)
    files["index.json"] = json.dumps(index | {"manifests": [top | {"annotations": name}]}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    if len(images) == 1:
        manifest = images[0][1]
        path = lambda descriptor: "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")
        old = {"Config": path(manifest["config"]), "RepoTags": [f"brooklet:{args.version}"], "Layers": [path(manifest["layers"][0])]}
        files["manifest.json"] = json.dumps([old]).encode()
    with tarfile.open(args.out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(files.items()):
            add(archive, path, content, 0o644, 0, args.epoch)
    print(top["digest"])


main()
