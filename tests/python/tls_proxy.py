#!/usr/bin/env python3
"""Takes TLS off connections and hands their bytes on to a server on this machine.

usage: tls_proxy.py CERTIFICATE KEY PORT

Prints the port it listens on, and goes on until its standard input is closed.
"""
import socket
import ssl
import sys
import threading


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copies bytes until one side ends."""
    try:
        while True:
            data = source.recv(1 << 16)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Takes connections; one whose handshake fails is dropped."""
    while True:
        plain, _ = listener.accept()
        try:
            client = context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            plain.close()
            continue
        server = socket.create_connection(("127.0.0.1", port))
        for ends in ((client, server), (server, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


def main() -> None:
    certificate, key, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, context, port), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
