"""A server with a certificate that nobody trusts: prints its port, and takes as many connections as it is told."""

import socket
import ssl
import sys

certificate, connections = sys.argv[1], int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    for _ in range(connections):
        connection, _address = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\nid,nom\na,Un\n")
        except (ssl.SSLError, OSError):
            pass
