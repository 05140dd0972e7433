"""Opens S3 clients from the settings: addresses, credentials, certificates, time limits.

Must not move any media.
"""

from __future__ import annotations

import os
from datetime import timedelta
from urllib.parse import quote, urlsplit

import certifi
import structlog
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.credentials.providers import (
    ChainedProvider,
    EnvAWSProvider,
    IamAwsProvider,
    Provider,
    StaticProvider,
)
from minio.error import S3Error
from minio.lifecycleconfig import AbortIncompleteMultipartUpload, LifecycleConfig, Rule

from runtime.settings import SharedSettings

AMAZON = "https://s3.amazonaws.com"
CONNECT_S, READ_S = 5.0, 30.0
UNFINISHED_UPLOAD_DAYS = 2
log = structlog.get_logger()


def open_client(shared: SharedSettings, endpoint: str | None, *, connections: int) -> Minio:
    """A client that trusts the configured CA, or the usual ones, and gives up in bounded time."""
    url = urlsplit(endpoint or AMAZON)
    ca_file = shared.s3_ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        maxsize=connections,
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(ca_file),
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
    )
    return Minio(
        url.netloc,
        credentials=_credentials(shared, pool),
        secure=url.scheme == "https",
        region=shared.s3_region,
        http_client=pool,
    )


def _credentials(shared: SharedSettings, pool: urllib3.PoolManager) -> Provider:
    if shared.s3_access_key is not None and shared.s3_secret_key is not None:
        return StaticProvider(
            shared.s3_access_key.get_secret_value(), shared.s3_secret_key.get_secret_value()
        )
    return ChainedProvider([EnvAWSProvider(), IamAwsProvider(http_client=pool)])


def clear_unfinished_uploads(client: Minio, bucket: str, prefix: str) -> None:
    """Ask the server to remove parts of uploads that a dead process left; media are never removed.

    Rules that the bucket has already are its owner's, and stay as they are. MinIO refuses this
    rule because it removes such parts by itself (`api stale_uploads_expiry`, a day).
    """
    if client.get_bucket_lifecycle(bucket) is not None:
        log.info("the bucket has lifecycle rules; they are left as they are", bucket=bucket)
        return
    rule = Rule(
        ENABLED,
        rule_filter=Filter(prefix=prefix),
        rule_id="animatrix-unfinished-uploads",
        abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(
            days_after_initiation=UNFINISHED_UPLOAD_DAYS
        ),
    )
    try:
        client.set_bucket_lifecycle(bucket, LifecycleConfig([rule]))
    except S3Error as refused:
        if refused.code not in ("InvalidArgument", "MalformedXML", "NotImplemented"):
            raise
        log.info("the server keeps to its own rule for unfinished uploads", reason=refused.code)


def presigned_get(
    shared: SharedSettings, bucket: str, name: str, expires_s: int, filename: str, mime_type: str
) -> str:
    """The signed address of an object, as browsers reach the server. Asks nothing of it."""
    endpoint = shared.s3_public_endpoint or shared.s3_endpoint
    client = open_client(shared, endpoint, connections=1)
    return client.presigned_get_object(
        bucket,
        name,
        expires=timedelta(seconds=expires_s),
        response_headers={
            "response-content-type": mime_type,
            "response-content-disposition": f"inline; filename*=UTF-8''{quote(filename, safe='')}",
        },
    )
