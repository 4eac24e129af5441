"""A cross-check of the twins by the vendors' own client packages, where they are installed.

The connectors and the twins were written by the same reading of the documentation; these packages were not. They call
`https://` at the vendor's real host, and `ToTwin` puts the twin there. (MailChimp's and Slack's clients are pointed at
their twins in the tests of those vendors.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from integrations.atlassian.twin import AtlassianTwin
from integrations.dropbox.twin import DropboxTwin
from integrations.dropbox.twin_routes import ROOT
from integrations.microsoft.twin import SCOPES, MicrosoftTwin
from integrations.paddle.twin import PaddleTwin
from integrations.zendesk.twin import ZendeskTwin
from tests.twins import MARIA, Served, serving

TWINS = (AtlassianTwin, DropboxTwin, MicrosoftTwin, PaddleTwin, ZendeskTwin)
ENV = {
    name: value.format(app="", twin="", twins="", folder="", secret=f"secret-for-tests-{name.lower()}")
    for twin in TWINS
    for name, value in twin.variables.items()
    if not name.endswith("_URL")
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with serving(*TWINS, env=ENV) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Served:
    for twin in shared.twins.values():
        twin.reset()
    return shared


class ToTwin(HTTPAdapter):
    """Sends what is meant for the vendor's host to the twin.

    Args:
        base: the twin's URL.
        below: first part of the twin's path for a host, where the vendor has several.
    """

    def __init__(self, base: str, below: str = "") -> None:
        super().__init__()
        self._base, self._below = urlsplit(base), below

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        asked, sent = urlsplit(request.url or ""), request.copy()
        path = f"{self._base.path}{self._below}{asked.path}"
        sent.url = urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))
        answer = super().send(sent, *args, **more)
        answer.request = request  # some clients look at it to know what was answered
        return answer


def session(served: Served, vendor: str, below: str = "") -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", ToTwin(served.url(vendor), below))
    return made


def refused(error: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_dropboxs_client_searches_reads_and_deletes_for_good_in_the_twin(served: Served) -> None:
    dropbox = pytest.importorskip("dropbox")
    served.twin(DropboxTwin).world.day = 0.02
    client = dropbox.Dropbox(
        oauth2_refresh_token=ENV["DROPBOX_REFRESH_TOKEN"],
        app_key=ENV["DROPBOX_APP_KEY"],
        app_secret=ENV["DROPBOX_APP_SECRET"],
        session=session(served, "dropbox"),
    )
    assert client.users_get_current_account().root_info.root_namespace_id == ROOT
    client = client.with_path_root(dropbox.common.PathRoot.root(ROOT))

    found = client.files_search_v2(MARIA)
    matches = list(found.matches)
    while found.has_more:
        found = client.files_search_continue_v2(found.cursor)
        matches += found.matches
    assert matches
    assert all(m.metadata.is_metadata() for m in matches)

    folder = next(f["path_display"] for f in served.state("dropbox")["folders"] if f.get("email") == MARIA)
    listed = client.files_list_folder(folder, recursive=True)
    entries = list(listed.entries)
    while listed.has_more:
        listed = client.files_list_folder_continue(listed.cursor)
        entries += listed.entries
    files = [e for e in entries if isinstance(e, dropbox.files.FileMetadata) and e.is_downloadable]
    meta, answer = client.files_download(files[0].id)
    assert (meta.rev, len(answer.content)) == (files[0].rev, meta.size)

    assert client.files_get_metadata(folder).path_lower == folder.lower()
    moved = client.files_move_v2(folder, "/Restricted/one").metadata
    client.files_delete_v2(moved.path_lower)
    gone = client.files_get_metadata(moved.path_lower, include_deleted=True)
    assert isinstance(gone, dropbox.files.DeletedMetadata)
    client.files_permanently_delete(moved.path_lower)
    with pytest.raises(dropbox.exceptions.ApiError) as caught:
        client.files_get_metadata(moved.path_lower, include_deleted=True)
    assert caught.value.error.get_path().is_not_found()


def test_azures_client_lists_reads_and_deletes_versions_and_tagged_blobs_in_the_twin(served: Served) -> None:
    storage = pytest.importorskip("azure.storage.blob")
    core = pytest.importorskip("azure.core")
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.transport import RequestsTransport

    class Token:
        """What azure-identity does: the same call as the connector's."""

        def get_token(self, *scopes: str, **more: Any) -> AccessToken:
            form = {
                "grant_type": "client_credentials",
                "client_id": ENV["MICROSOFT_CLIENT_ID"],
                "client_secret": ENV["MICROSOFT_CLIENT_SECRET"],
                "scope": scopes[0],
            }
            url = f"{served.url('microsoft')}/login/{ENV['MICROSOFT_TENANT_ID']}/oauth2/v2.0/token"
            answer = requests.post(url, data=form, timeout=10).json()
            return AccessToken(answer["access_token"], 4102444800)

    assert SCOPES["blob"] == "https://storage.azure.com/.default"
    transport = RequestsTransport(session=session(served, "microsoft", "/blob"), session_owner=False)
    service = storage.BlobServiceClient(
        "https://intellimails.blob.core.windows.net", credential=Token(), transport=transport, retry_total=0
    )
    customers = service.get_container_client("customers")
    include = ["metadata", "tags", "versions", "snapshots", "deleted"]
    entries = list(customers.list_blobs(name_starts_with="acc-maria/", include=include))
    versions = [b for b in entries if b.name == "acc-maria/list.csv"]
    older, current = (b for b in versions if b.version_id)
    assert (older.is_current_version, current.is_current_version) == (None, True)
    assert older.metadata == {"email": MARIA}

    blob = customers.get_blob_client(older.name)
    assert MARIA.encode() in blob.download_blob(version_id=older.version_id).readall()
    blob.delete_blob(version_id=older.version_id)
    assert blob.download_blob().readall().endswith(b"later\n")
    refused(core.exceptions.ResourceNotFoundError, lambda: blob.download_blob(version_id=older.version_id).readall())

    tagged = list(service.find_blobs_by_tags("\"account\"='acc-maria'"))
    assert [(b.container_name, b.name, b.tags) for b in tagged] == [
        ("uploads", "2026/09/01-a7.csv", {"account": "acc-maria"})
    ]
    upload = service.get_blob_client("uploads", tagged[0].name)
    assert "SnapshotsPresent" in refused(core.exceptions.ResourceExistsError, upload.delete_blob)
    upload.delete_blob(delete_snapshots="include")
    assert not upload.exists()


@pytest.mark.filterwarnings("ignore:V1 methods are deprecated")  # it says so also of its second version
def test_atlassians_client_searches_reads_and_deletes_in_the_twin(served: Served) -> None:
    atlassian = pytest.importorskip("atlassian")
    login = {"username": ENV["ATLASSIAN_EMAIL"], "password": ENV["ATLASSIAN_API_TOKEN"], "cloud": True}
    there = {"url": "https://intellimails.atlassian.net", "session": session(served, "atlassian"), **login}
    jira = atlassian.Jira(api_version="3", **there)
    assert jira.myself()["accountType"] == "atlassian"
    (maria,) = (u for u in jira.user_find_by_user_string(query=MARIA) if u.get("emailAddress") == MARIA)

    jql, found, token = f'reporter = "{maria["accountId"]}"', [], None
    while True:
        page = jira.enhanced_jql(jql, fields=["summary"], nextPageToken=token)
        found += page["issues"]
        if not (token := page.get("nextPageToken")):
            break
    issues = [jira.issue(i["id"]) for i in found]
    assert issues
    assert all(i["fields"]["reporter"]["accountId"] == maria["accountId"] for i in issues)
    said = [(i["key"], c) for i in issues for c in jira.issue_get_comments(i["key"])["comments"]]
    assert said
    jira.delete(f"rest/api/3/issue/{said[0][0]}/comment/{said[0][1]['id']}")
    assert said[0][1]["id"] not in [c["id"] for c in jira.issue_get_comments(said[0][0])["comments"]]
    jira.delete_issue(issues[0]["key"])
    refused(requests.HTTPError, lambda: jira.issue(issues[0]["key"]))

    cloud = pytest.importorskip("atlassian.confluence.cloud")
    wiki, page = cloud.ConfluenceCloud(api_version=2, **there), served.state("atlassian")["pages"][0]
    assert wiki.get_page_by_id(page["id"], body_format="storage")["title"] == page["title"]
    assert len(list(wiki.get_page_versions(page["id"])["results"])) == len(page["versions"])
    wiki.delete_page(page["id"])
    assert wiki.get_page_by_id(page["id"])["status"] == "trashed"
    wiki.delete(f"api/v2/pages/{page['id']}", params={"purge": "true"})
    assert page["id"] not in [p["id"] for p in served.state("atlassian")["pages"]]


def test_zendesks_client_searches_and_deletes_people_and_tickets_for_good_in_the_twin(served: Served) -> None:
    zenpy = pytest.importorskip("zenpy")
    client = zenpy.Zenpy(
        subdomain=ENV["ZENDESK_SUBDOMAIN"],
        email=ENV["ZENDESK_EMAIL"],
        token=ENV["ZENDESK_API_TOKEN"],
        session=session(served, "zendesk"),
    )
    assert client.users.me().email == ENV["ZENDESK_EMAIL"]
    found = [u for u in client.users.search(query=f"email:{MARIA}") if u.email == MARIA]
    maria = found[0]
    assert MARIA in [i.value for i in client.users.identities(maria.id)]
    tickets = list(client.users.requested(maria))
    assert tickets
    assert all(t.requester_id == maria.id for t in tickets)
    comments = [c.body for t in tickets for c in client.tickets.comments(t.id)]
    assert comments
    refused(zenpy.lib.exception.APIException, lambda: client.users.delete(maria))  # open tickets first
    for ticket in tickets:
        client.tickets.delete(ticket)
    job = client.tickets.permanently_delete(tickets[0])
    assert job.status in ("queued", "working", "completed")
    client.users.delete(maria)
    assert maria.id in [u.id for u in client.users.deleted()]
    client.users.permanently_delete(maria)
    assert maria.id not in [u.id for u in client.users.deleted()]


def test_paddles_client_reads_changes_and_archives_in_the_twin(served: Served) -> None:
    paddle = pytest.importorskip("paddle_billing")
    status = pytest.importorskip("paddle_billing.Entities.Shared").Status
    customers = pytest.importorskip("paddle_billing.Resources.Customers.Operations")
    of_customer = pytest.importorskip("paddle_billing.Resources.Transactions.Operations").ListTransactions

    made = session(served, "paddle")
    made.headers["Authorization"] = f"Bearer {ENV['PADDLE_API_KEY']}"
    client = paddle.Client(ENV["PADDLE_API_KEY"], http_client=made)
    (maria,) = client.customers.list(customers.ListCustomers(emails=[MARIA]))
    transactions = list(client.transactions.list(of_customer(customer_ids=[maria.id])))
    assert len(transactions) == 7
    assert {t.customer_id for t in transactions} == {maria.id}
    assert client.transactions.get_invoice_pdf(transactions[0].id).url.endswith(".pdf")
    methods = list(client.payment_methods.list(maria.id))
    assert len(methods) == 4
    for method in methods:
        client.payment_methods.delete(maria.id, method.id)
    assert not list(client.payment_methods.list(maria.id))
    assert all(a.status == status.Active for a in client.addresses.list(maria.id))

    changed = client.customers.update(maria.id, customers.UpdateCustomer(name=None, email="gone@invalid.example.com"))
    assert (changed.name, changed.email) == (None, "gone@invalid.example.com")
    assert client.customers.archive(maria.id).status == status.Archived
    assert not list(client.customers.list(customers.ListCustomers(ids=[maria.id])))
    (archived,) = client.customers.list(customers.ListCustomers(ids=[maria.id], statuses=[status.Archived]))
    assert archived.id == maria.id
