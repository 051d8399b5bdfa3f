"""nginx and HAProxy in front of a server, each with its files in a folder of its own."""
import os
import pwd

from .programs import Daemon, free_port

NGINX = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 256; }}
http {{
  access_log access.log;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  map $http_upgrade $connection_upgrade {{
    default upgrade;
    "" "";
  }}
  upstream weir {{
    server {upstream};
    keepalive 4;
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{
      proxy_pass http://weir;
      proxy_http_version 1.1;
      proxy_read_timeout {timeout_s}s;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 200
defaults
  mode {mode}
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  timeout check 10s
frontend front
  bind 127.0.0.1:{port}{tls}
  bind [::1]:{port}{tls}
  default_backend back
backend back
  {check}
  server weir {upstream} {options}
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Proxy:
    """A proxy on a port of 127.0.0.1, HAProxy on that of ::1 too; "wss" is for those that end
    TLS."""

    def url(self, path="/", scheme="wss", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"

    async def start(self, scope, folder, name, *words):
        """Starts the program, and waits until it listens."""
        self.daemon = await Daemon.start(scope, os.path.join(folder, "errors"), name, *words)
        await self.daemon.listens(self.port)
        return self


class Nginx(Proxy):
    """Ends TLS, and passes requests and upgrades on: to "127.0.0.1:80" or "unix:/path"."""

    @classmethod
    async def before(cls, scope, upstream, certificate, timeout_s=30):
        self, folder = cls(), scope.folder()
        self.port = free_port()
        # Its workers are nobody's otherwise, who may not enter the folder.
        user = f"user {pwd.getpwuid(0).pw_name} root;" if os.geteuid() == 0 else ""
        write(folder, "nginx.conf", NGINX.format(
            user=user, upstream=upstream, port=self.port, timeout_s=timeout_s,
            certificate=certificate.file, key=certificate.key))
        return await self.start(scope, folder, "nginx", "-p", folder, "-c", "nginx.conf",
                                "-e", "error.log")


class Haproxy(Proxy):
    """Passes connections on, in the mode tcp or http, to "127.0.0.1:80" or "unix@/path", with the
    options of its server line; ends TLS where it has a certificate."""

    @classmethod
    async def before(cls, scope, upstream, options="", certificate=None, mode="tcp", check=""):
        self, folder = cls(), scope.folder()
        self.port = free_port()
        tls = ""
        if certificate:
            tls = f" ssl crt {write(folder, 'pair.pem', certificate.pair())}"
        file = write(folder, "haproxy.cfg", HAPROXY.format(
            mode=mode, port=self.port, tls=tls, check=check, upstream=upstream, options=options))
        return await self.start(scope, folder, "haproxy", "-f", file, "-db")
