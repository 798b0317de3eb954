"""An S3 server: moto's, in memory."""

import secrets
from pathlib import Path
from typing import Any

from tests.cluster.services.service import BIN, HOST, Service, accepts, free_ports

BUCKETS = ("logs", "searches", "mlflow")


class ObjectStore(Service):
    """The server, and the variables by which programs find it.

    Args:
        folder: Where its log is written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("s3", folder)
        [self._port] = free_ports(1)
        self.endpoint = f"http://{HOST}:{self._port}"
        self.secret_key = secrets.token_hex(20)
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

    def create(self) -> None:
        """Start the server, and create the buckets."""
        command = [str(BIN / "moto_server"), "--host", HOST, "--port", str(self._port)]
        self.start(command, lambda: accepts(self._port))
        fs = self.file_system()
        for bucket in BUCKETS:
            fs.mkdir(bucket)

    def file_system(self) -> Any:
        """An fsspec file system of the server that caches nothing."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.environment["AWS_ACCESS_KEY_ID"],
            secret=self.secret_key,
            endpoint_url=self.endpoint,
            client_kwargs={"region_name": self.environment["AWS_DEFAULT_REGION"]},
            use_listings_cache=False,
            skip_instance_cache=True,
        )
