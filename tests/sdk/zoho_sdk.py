#!/usr/bin/env python3
"""Asks the sandbox everything that Zoho's own Python SDK (8.0) can ask, through the SDK.

The SDK knows each field of each answer and its type, and refuses what is otherwise: what passes here has the shape that
programs written for Zoho CRM expect. It is no part of the usual tests, since it needs the SDK:

    python3 -m venv venv && venv/bin/pip install zohocrmsdk8-0 setuptools
    attache sandbox --listen 127.0.0.1:8080 --token rehearsal --records tests/sdk/records.csv \\
        --data "$(mktemp -d)" --switch bulk-delay=1 --profile oas-v8
    venv/bin/python tests/sdk/zoho_sdk.py http://127.0.0.1:8080 rehearsal

Each line says what was asked and `ok`, or what the SDK did not like. The exit status is 1 if there was any of that.
"""

import os
import sys
import tempfile
import time
import traceback
import zipfile

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.apis import APIsOperations
from zohocrmsdk.src.com.zoho.crm.api.attachments import (
    AttachmentsOperations,
    DeleteAttachmentsParam,
    FileBodyWrapper,
    GetAttachmentsParam,
    UploadUrlAttachmentsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.attachments import SuccessResponse as AttachmentSuccess
from zohocrmsdk.src.com.zoho.crm.api.bulk_read import BodyWrapper as BulkBody
from zohocrmsdk.src.com.zoho.crm.api.bulk_read import BulkReadOperations, Criteria, Query
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as CoqlBody
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.features import FeaturesOperations
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations, GetFieldParam, GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.fields.minified_field import MinifiedField
from zohocrmsdk.src.com.zoho.crm.api.modules import ModulesOperations
from zohocrmsdk.src.com.zoho.crm.api.modules.minified_module import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.record import GetDeletedRecordsParam, GetRecordsParam, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.related_lists import (
    GetRelatedListParam,
    GetRelatedListsParam,
    RelatedListsOperations,
)
from zohocrmsdk.src.com.zoho.crm.api.users import GetUsersParam, UsersOperations
from zohocrmsdk.src.com.zoho.crm.api.util import Choice, StreamWrapper

CONTACT = 738964000000291001


def answered(response, status=200):
    """The object that an answer became, which must not be an error."""
    if response is None:
        raise AssertionError("no answer")
    if response.get_status_code() != status:
        shown = response.get_object()
        code = getattr(shown, "get_code", lambda: None)()
        raise AssertionError(f"status {response.get_status_code()}, not {status}: {code and code.get_value()}")
    got = response.get_object()
    if type(got).__name__ == "APIException":
        raise AssertionError(f"{got.get_code().get_value()}: {got.get_message()}")
    return got


def params(*pairs):
    made = ParameterMap()
    for param, value in pairs:
        made.add(param, value)
    return made


def one_success(wrapper):
    [entry] = wrapper.get_data()
    assert isinstance(entry, AttachmentSuccess), entry
    return int(entry.get_details()["id"])


class Check:
    """What is asked, in the order in which it makes sense."""

    def __init__(self):
        self.failed = 0

    def run(self, name, ask):
        try:
            came = ask()
            print(f"ok    {name}{'' if came is None else f': {came}'}")
            return came
        except (SDKException, AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
            self.failed += 1
            print(f"FAIL  {name}: {type(error).__name__} {error} {getattr(error, 'details', '') or ''}")
            if os.environ.get("SDK_TRACE"):
                traceback.print_exc()
            return None


def coql(query, status=200):
    body = CoqlBody()
    body.set_select_query(query)
    got = CoqlOperations().get_records(body)
    if status == 204:
        assert got.get_status_code() == 204, got.get_status_code()
        return None
    return answered(got)


def ask_coql():
    rows = coql("select id, Legacy_Id from Contacts where Legacy_Id in ('C-1','C-2') limit 200")
    found = sorted(record.get_key_value("Legacy_Id") for record in rows.get_data())
    assert found == ["C-1", "C-2"], found
    assert rows.get_info().get_count() == 2 and rows.get_info().get_more_records() is False
    return found


def ask_coql_error():
    body = CoqlBody()
    body.set_select_query("select id from Contacts")
    got = CoqlOperations().get_records(body)
    assert got.get_status_code() == 400, got.get_status_code()
    return got.get_object().get_code().get_value()


def bulk_body(with_criteria):
    module = MinifiedModule()
    module.set_api_name("Contacts")
    query = Query()
    query.set_module(module)
    query.set_fields(["id", "Legacy_Id"])
    query.set_page(1)
    if with_criteria:
        field = MinifiedField()
        field.set_api_name("Legacy_Id")
        criteria = Criteria()
        criteria.set_field(field)
        criteria.set_comparator(Choice("in"))
        criteria.set_value(["C-1"])
        query.set_criteria(criteria)
    body = BulkBody()
    body.set_query(query)
    return body


def ask_bulk(with_criteria, folder):
    operations = BulkReadOperations()
    [made] = answered(operations.create_bulk_read_job(bulk_body(with_criteria)), 201).get_data()
    job = int(made.get_details()["id"])
    for _ in range(100):
        [detail] = answered(operations.get_bulk_read_job_details(job)).get_data()
        if detail.get_state().get_value() == "COMPLETED":
            break
        time.sleep(0.05)
    assert detail.get_state().get_value() == "COMPLETED", detail.get_state().get_value()
    result = detail.get_result()
    stream = answered(operations.download_result(job)).get_file()
    path = os.path.join(folder, "result.zip")
    with open(path, "wb") as out:
        for chunk in stream.get_stream():
            out.write(chunk)
    with zipfile.ZipFile(path) as archive:
        [name] = archive.namelist()
        lines = archive.read(name).decode().splitlines()
    assert result.get_count() == len(lines) - 1, (result.get_count(), lines)
    assert (len(lines) == 2) == with_criteria, lines
    return f"{len(lines) - 1} records, more {result.get_more_records()}"


def ask_attachments(check, folder):
    operations = AttachmentsOperations()
    source = os.path.join(folder, "offer.txt")
    with open(source, "w", encoding="utf-8") as file:
        file.write("content of the offer")

    def upload():
        body = FileBodyWrapper()
        body.set_file(StreamWrapper(file_path=source))
        return one_success(answered(operations.upload_attachments(CONTACT, "Contacts", body)))

    def upload_link():
        pairs = [(UploadUrlAttachmentsParam.attachmenturl, "https://example.com/offer")]
        pairs.append((UploadUrlAttachmentsParam.title, "The offer"))
        return one_success(answered(operations.upload_url_attachments(CONTACT, "Contacts", params(*pairs))))

    def names():
        fields = "id,Owner,File_Name,Created_Time,Size,Parent_Id,$type,$file_id,$link_url,$se_module,$state,$editable"
        got = answered(operations.get_attachments(CONTACT, "Contacts", params((GetAttachmentsParam.fields, fields))))
        for entry in got.get_data():
            assert entry.get_parent_id() is not None and entry.get_owner() is not None
        assert got.get_info().get_count() == len(got.get_data())
        return sorted(f"{entry.get_file_name()} {entry.get_size()}" for entry in got.get_data())

    def download():
        stream = answered(operations.get_attachment(first, CONTACT, "Contacts")).get_file()
        content = b"".join(stream.get_stream())
        assert content == b"content of the offer", content
        return len(content)

    def delete(attachment):
        return one_success(answered(operations.delete_attachment(attachment, CONTACT, "Contacts")))

    def delete_many():
        pairs = params((DeleteAttachmentsParam.ids, f"{second},{third}"))
        deleted = answered(operations.delete_attachments(CONTACT, "Contacts", pairs)).get_data()
        assert all(isinstance(entry, AttachmentSuccess) for entry in deleted), deleted
        return len(deleted)

    first = check.run("attachments: upload a file", upload)
    second = check.run("attachments: upload another", upload)
    third = check.run("attachments: attach a link", upload_link)
    check.run("attachments: list", names)
    check.run("attachments: download", download)
    check.run("attachments: delete one", lambda: delete(first))
    check.run("attachments: delete several", delete_many)
    fields = params((GetAttachmentsParam.fields, "id,File_Name"))
    def empty():
        got = operations.get_attachments(CONTACT, "Contacts", fields)
        # The older description has a status for it, the newer one an empty list.
        assert got.get_status_code() == 204 or got.get_object().get_data() == [], got.get_status_code()

    check.run("attachments: list where there is none", empty)


def ask_records(check):
    def some():
        pairs = params((GetRecordsParam.fields, "id,Legacy_Id"), (GetRecordsParam.ids, str(CONTACT)))
        [record] = answered(RecordOperations("Contacts").get_records(pairs, HeaderMap())).get_data()
        assert record.get_id() == CONTACT and record.get_key_value("Legacy_Id") == "C-1"
        return record.get_key_value("Legacy_Id")

    def one():
        [record] = answered(RecordOperations("Contacts").get_record(CONTACT, ParameterMap(), HeaderMap())).get_data()
        return record.get_id()

    def deleted():
        pairs = params((GetDeletedRecordsParam.type, "all"))
        return RecordOperations("Contacts").get_deleted_records(pairs, HeaderMap()).get_status_code()

    check.run("records: by ids", some)
    check.run("records: one", one)
    check.run("records: deleted", deleted)


def ask_settings(check):
    def modules():
        got = answered(ModulesOperations().get_modules(ParameterMap(), HeaderMap())).get_modules()
        return len([module.get_api_name() for module in got])

    def module():
        [got] = answered(ModulesOperations().get_module_by_api_name("Contacts")).get_modules()
        return got.get_api_name()

    def fields():
        got = answered(FieldsOperations().get_fields(params((GetFieldsParam.module, "Contacts")))).get_fields()
        return {field.get_api_name(): field.get_data_type() for field in got}

    def related():
        got = answered(RelatedListsOperations().get_related_lists(params((GetRelatedListsParam.module, "Contacts"))))
        return [one.get_api_name() for one in got.get_related_lists()]

    def org():
        [got] = answered(OrgOperations().get_organization()).get_org()
        return got.get_zgid()

    def users():
        got = answered(UsersOperations().get_users(params((GetUsersParam.type, "CurrentUser")), HeaderMap()))
        return [user.get_full_name() for user in got.get_users()]

    def features():
        [got] = answered(FeaturesOperations().get_user_licences_count()).get_features()
        return got.get_api_name()

    def apis():
        got = answered(APIsOperations().get_supported_api()).get_apis()
        return len([one.get_path() for one in got])

    def one_field():
        got = answered(FieldsOperations().get_fields(params((GetFieldsParam.module, "Contacts")))).get_fields()
        pairs = params((GetFieldParam.module, "Contacts"))
        [field] = answered(FieldsOperations().get_field(got[1].get_id(), pairs)).get_fields()
        return field.get_api_name()

    def one_list():
        pairs = params((GetRelatedListParam.module, "Contacts"))
        [one] = answered(RelatedListsOperations().get_related_list(700000000000005001, pairs)).get_related_lists()
        return one.get_api_name()

    def one_user():
        got = answered(UsersOperations().get_users(params((GetUsersParam.type, "CurrentUser")), HeaderMap()))
        [user] = answered(UsersOperations().get_user(got.get_users()[0].get_id(), HeaderMap())).get_users()
        return user.get_full_name()

    check.run("settings: one field", one_field)
    check.run("settings: one related list", one_list)
    check.run("users: one", one_user)
    check.run("features: licences", features)
    check.run("prices and scopes", apis)
    check.run("settings: modules", modules)
    check.run("settings: one module", module)
    check.run("settings: fields", fields)
    check.run("settings: related lists", related)
    check.run("org", org)
    check.run("users: the current one", users)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    address, token = sys.argv[1].rstrip("/"), sys.argv[2]
    check = Check()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        environment = DataCenter.Environment(address, f"{address}/oauth/v2/token", address)
        Initializer.initialize(environment, OAuthToken(access_token=token, find_user=False), resource_path=folder)
        ask_settings(check)
        ask_records(check)
        check.run("coql: in", ask_coql)
        check.run("coql: nothing", lambda: coql("select id from Contacts where Legacy_Id = 'none' limit 1", 204))
        check.run("coql: without where", ask_coql_error)
        check.run("bulk read: a module", lambda: ask_bulk(False, folder))
        check.run("bulk read: by criteria", lambda: ask_bulk(True, folder))
        ask_attachments(check, folder)
    print(f"{check.failed} failed")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
