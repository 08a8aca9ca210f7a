#!/usr/bin/env python3
"""Holds what the sandbox answers against Zoho's own OpenAPI files of version 8.

The files are Zoho's and no part of this project, so this is no part of the usual tests:

    git clone --depth 1 https://github.com/zoho/crm-oas
    python3 -m venv venv && venv/bin/pip install jsonschema
    attache sandbox --listen 127.0.0.1:8080 --token rehearsal --records tests/sdk/records.csv \\
        --data "$(mktemp -d)" --switch bulk-delay=1 --profile oas-v8
    venv/bin/python tests/sdk/zoho_oas.py http://127.0.0.1:8080 rehearsal crm-oas/v8.0

Each line says what was asked and `ok`, or the first places in which the answer is not what the file says. What only Zoho's
screens need may be missing; whatever is there must be of the type that the file says. Answers about attachments must be
whole: there nothing may be missing. The exit status is 1 if anything was wrong.
"""

import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

import jsonschema

CONTACT = 738964000000291001
LISTED = (
    "Owner,Modified_By,Created_By,Parent_Id,Modified_Time,Created_Time,File_Name,Size,$editable,$file_id,$type,$se_module,"
    "$state,$link_url,$attachment_type,$sharing_permission"
)

# What is not set is null in answers of the service, whatever the files say: a reader must be ready for that.
NULL_WHERE_NOT_SET = {"external", "parent_feature", "next_page_token"}


class Description:
    """The files, with their references to each other resolved in the folder where they lie."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.files = {}

    def file(self, name):
        if name not in self.files:
            self.files[name] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return self.files[name]

    def resolve(self, name, node):
        """A node without a reference, and the file that it stands in."""
        while isinstance(node, dict) and "$ref" in node:
            address, _, pointer = node["$ref"].partition("#")
            name = address.rsplit("/", 1)[-1] or name
            node = self.file(name)
            for step in pointer.strip("/").split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
        return name, node

    def schema(self, name, path, method, status):
        """What an answer to this must be; `None` where the file has no body for it."""
        _, operation = self.resolve(name, self.file(name)["paths"][path][method])
        where, response = self.resolve(name, operation["responses"][str(status)])
        content = response.get("content")
        return None if not content else (where, next(iter(content.values()))["schema"])

    def plain(self, name, node, whole, depth=0):
        """A schema of OpenAPI 3.0 as one of JSON Schema, references replaced. `whole`: what is required must be there."""
        name, node = self.resolve(name, node)
        if not isinstance(node, dict) or depth > 24:
            return {}
        made = {}
        for key, value in node.items():
            if key == "properties":
                made[key] = {field: self.plain(name, one, whole, depth + 1) for field, one in value.items()}
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                made[key] = self.plain(name, value, whole, depth + 1)
            elif key in ("oneOf", "anyOf", "allOf"):
                # Its alternatives often fit one answer together, since they differ in what may be missing only.
                made["allOf" if key == "allOf" else "anyOf"] = [self.plain(name, one, whole, depth + 1) for one in value]
            elif key in ("type", "enum") or (key == "required" and whole):
                made[key] = value
        if node.get("nullable"):
            return {"anyOf": [made, {"type": "null"}]}
        return made


def ask(base, token, method, path, body=None, kind="application/json"):
    request = urllib.request.Request(base + path, data=body, method=method)
    request.add_header("Authorization", f"Zoho-oauthtoken {token}")
    if body is not None:
        request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def multipart(name, content):
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


class Run:
    def __init__(self, base, token, folder):
        self.base, self.token, self.oas, self.failed = base, token, Description(folder), 0

    def check(self, what, name, path, method, address, body=None, kind="application/json", whole=False, wanted=200):
        status, answer = ask(self.base, self.token, method.upper(), address, body, kind)
        wrong = [] if status == wanted else [f"status {status}, not {wanted}: {answer[:200]!r}"]
        document = json.loads(answer) if answer else None
        if not wrong:
            found = self.oas.schema(name, path, method, status)
            if found is not None:
                validator = jsonschema.Draft202012Validator(self.oas.plain(*found, whole))
                errors = [deepest(one) for one in validator.iter_errors(document)]
                wrong = [told(one) for one in errors if not is_unset(one)][:5]
        self.failed += bool(wrong)
        print(f"{'wrong' if wrong else 'ok':5} {what}" + "".join(f"\n      {line}" for line in wrong))
        return document


def is_unset(error):
    return error.instance is None and error.absolute_path and error.absolute_path[-1] in NULL_WHERE_NOT_SET


def told(error):
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}"


def deepest(error):
    """The error that says most where there are alternatives."""
    while error.context:
        error = max(error.context, key=lambda one: len(one.absolute_path))
    return error


def main(base, token, folder):
    run = Run(base, token, folder)
    attachments = f"/crm/v8/Contacts/{CONTACT}/Attachments"
    described = "/crm/v8/{module}/{record_id}/Attachments"
    for name in ("offer.txt", "收据.csv"):
        body, kind = multipart(name, b"hello")
        run.check(f"upload {name}", "attachments.json", described, "post", attachments, body, kind, whole=True)
    link = f"{attachments}?attachmentUrl=https%3A%2F%2Fexample.com%2Foffer&title=The%20offer"
    run.check("attach a link", "attachments.json", described, "post", link, b"", whole=True)
    listed = run.check("list", "attachments.json", described, "get", f"{attachments}?fields={LISTED}", whole=True)
    page = f"{attachments}?fields={LISTED}&page=1&per_page=2"
    run.check("list, a page of two", "attachments.json", described, "get", page, whole=True)
    for entry in (listed or {}).get("data", [])[:1]:
        one = f"{attachments}/{entry['id']}"
        run.check("delete one", "attachments.json", described + "/{id}", "delete", one, whole=True)
    run.check("modules", "modules.json", "/crm/v8/settings/modules", "get", "/crm/v8/settings/modules")
    one = "/crm/v8/settings/modules/{api_name}"
    run.check("one module", "modules.json", one, "get", "/crm/v8/settings/modules/Contacts")
    run.check("fields", "fields.json", "/crm/v8/settings/fields", "get", "/crm/v8/settings/fields?module=Contacts")
    lists = "/crm/v8/settings/related_lists"
    run.check("related lists", "related_lists.json", lists, "get", f"{lists}?module=Contacts")
    run.check("organisation", "org.json", "/crm/v8/org", "get", "/crm/v8/org")
    run.check("current user", "users.json", "/crm/v8/users", "get", "/crm/v8/users?type=CurrentUser")
    licences = "/crm/v8/__features/user_licenses"
    run.check("licences", "features.json", licences, "get", licences)
    run.check("prices and scopes", "apis.json", "/crm/v8/__apis", "get", "/crm/v8/__apis")
    ids = f"/crm/v8/Contacts?ids={CONTACT}&fields=id"
    run.check("records by id", "record.json", "/crm/v8/{module_api_name}", "get", ids)
    query = json.dumps({"select_query": f"select id, Legacy_Id from Contacts where id = {CONTACT}"}).encode()
    run.check("coql", "coql.json", "/crm/v8/coql", "post", "/crm/v8/coql", query)
    order = json.dumps({"query": {"module": {"api_name": "Contacts"}, "fields": ["id"], "page": 1}}).encode()
    read = "/crm/bulk/v8/read"
    made = run.check("order a bulk read", "bulk_read.json", read, "post", read, order, wanted=201)
    if made:
        time.sleep(0.2)
        job = made["data"][0]["details"]["id"]
        run.check("a bulk read's state", "bulk_read.json", read + "/{job_id}", "get", f"{read}/{job}")
    print(f"{run.failed} wrong")
    return 1 if run.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
