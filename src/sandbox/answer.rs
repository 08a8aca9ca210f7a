//! Every answer of the documented service: successes, and the errors in the wording of the chosen profile.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::options::{Dialect, ErrorShape, SandboxUser};
use super::route::Lost;
use super::store::{Attachment, rfc3339};

/// An error of the service, before it is an HTTP answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct SandboxRefusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) details: Value,
}

fn refusal(status: u16, code: &'static str, message: &'static str) -> SandboxRefusal {
    SandboxRefusal { status, code, message, details: json!({}) }
}

impl SandboxRefusal {
    pub(super) fn lost(lost: Lost) -> SandboxRefusal {
        match lost {
            Lost::Path => {
                refusal(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
            }
            Lost::Method => refusal(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one"),
        }
    }

    pub(super) fn other_host() -> SandboxRefusal {
        refusal(421, "INVALID_REQUEST", "this server answers to localhost and loopback addresses only")
    }

    pub(super) fn head_too_large() -> SandboxRefusal {
        refusal(431, "INVALID_REQUEST", "the head of the request is too large")
    }

    pub(super) fn no_token() -> SandboxRefusal {
        refusal(401, "AUTHENTICATION_FAILURE", "Authentication failed")
    }

    pub(super) fn bad_token() -> SandboxRefusal {
        refusal(401, "INVALID_TOKEN", "invalid oauth token")
    }

    pub(super) fn scope(profile: Dialect) -> SandboxRefusal {
        match profile {
            Dialect::DocsV2 => refusal(401, "OAUTH_SCOPE_MISMATCH", "Unauthorized"),
            Dialect::OasV8 => refusal(403, "OAUTH_SCOPE_MISMATCH", "required oauth scope is missing"),
        }
    }

    pub(super) fn no_module() -> SandboxRefusal {
        let details = json!({"resource_path_index": 0});
        SandboxRefusal { details, ..refusal(400, "INVALID_MODULE", "the module name given seems to be invalid") }
    }

    pub(super) fn unsupported_module() -> SandboxRefusal {
        let details = json!({"resource_path_index": 0});
        SandboxRefusal { details, ..refusal(400, "INVALID_MODULE", "The given module is not supported in API") }
    }

    pub(super) fn no_record() -> SandboxRefusal {
        let details = json!({"resource_path_index": 1});
        SandboxRefusal { details, ..refusal(400, "INVALID_DATA", "the related id given seems to be invalid") }
    }

    pub(super) fn exe() -> SandboxRefusal {
        refusal(415, "INVALID_DATA", "invalid file type")
    }

    pub(super) fn too_large(profile: Dialect) -> SandboxRefusal {
        match profile {
            Dialect::DocsV2 => refusal(
                415,
                "FILE_SIZE_MORE_THAN_ALLOWED_SIZE",
                "please check if the file size is in the correct range",
            ),
            Dialect::OasV8 => body_too_large(),
        }
    }

    pub(super) fn nothing_sent(profile: Dialect) -> SandboxRefusal {
        match profile {
            Dialect::DocsV2 => refusal(400, "INVALID_DATA", "the request does not contain any file"),
            Dialect::OasV8 => SandboxRefusal {
                details: json!({"param_name": "file"}),
                ..refusal(400, "MANDATORY_NOT_FOUND", "required field not found")
            },
        }
    }

    pub(super) fn file_and_link() -> SandboxRefusal {
        refusal(400, "INVALID_DATA", "either a file or an attachment URL can be given, not both")
    }

    pub(super) fn several_files() -> SandboxRefusal {
        refusal(400, "INVALID_DATA", "only one file can be attached in a request")
    }

    pub(super) fn bad_link() -> SandboxRefusal {
        let details = json!({"param_name": "attachmentUrl"});
        SandboxRefusal { details, ..refusal(400, "INVALID_URL_PATTERN", "the given attachment URL is incorrect") }
    }

    pub(super) fn link_exists() -> SandboxRefusal {
        refusal(400, "INVALID_DATA", "Attachment link already exists")
    }

    pub(super) fn bad_body() -> SandboxRefusal {
        refusal(400, "INVALID_REQUEST", "the body of the request is not well-formed")
    }

    pub(super) fn fields_missing() -> SandboxRefusal {
        let details = json!({"param_name": "fields"});
        SandboxRefusal { details, ..refusal(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing") }
    }

    pub(super) fn param_missing(name: &str) -> SandboxRefusal {
        let details = json!({"param_name": name});
        SandboxRefusal { details, ..refusal(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing") }
    }

    pub(super) fn bad_param(name: &str) -> SandboxRefusal {
        SandboxRefusal { details: json!({"param_name": name}), ..refusal(400, "INVALID_DATA", "invalid data") }
    }

    pub(super) fn coql_syntax(expected: &str) -> SandboxRefusal {
        SandboxRefusal {
            details: json!({"expected": expected}),
            ..refusal(400, "SYNTAX_ERROR", "error occurred while parsing the query")
        }
    }

    pub(super) fn coql_limit(clause: &str, limit: usize) -> SandboxRefusal {
        let details = json!({"clause": clause, "limit": limit});
        SandboxRefusal { details, ..refusal(400, "LIMIT_EXCEEDED", "the limit of the clause is exceeded") }
    }

    pub(super) fn coql_column(column: &str, reason: &str) -> SandboxRefusal {
        let details = json!({"column_name": column, "reason": reason});
        SandboxRefusal { details, ..refusal(400, "INVALID_QUERY", "invalid query formed") }
    }

    pub(super) fn bulk_field(field: &str) -> SandboxRefusal {
        let details = json!({"field": field});
        SandboxRefusal { details, ..refusal(400, "INVALID_FIELD", "the field given seems to be invalid") }
    }

    pub(super) fn bulk_not_imitated() -> SandboxRefusal {
        refusal(400, "NOT_SUPPORTED", "this sandbox compares by equal, in and contains only, and calls nobody back")
    }

    pub(super) fn bulk_limit(what: &str, limit: usize) -> SandboxRefusal {
        let details = json!({"param_name": what, "limit": limit});
        SandboxRefusal { details, ..refusal(400, "LIMIT_EXCEEDED", "the limit is exceeded") }
    }

    pub(super) fn no_such_job() -> SandboxRefusal {
        refusal(404, "RESOURCE_NOT_FOUND", "The requested resource doesn't exist.")
    }

    pub(super) fn too_many_downloads() -> SandboxRefusal {
        refusal(429, "TOO_MANY_REQUESTS", "only so many results can be downloaded in a minute")
    }

    pub(super) fn media_type() -> SandboxRefusal {
        refusal(415, "MEDIA_TYPE_NOT_SUPPORTED", "Media Type is not supported")
    }

    pub(super) fn page_too_deep() -> SandboxRefusal {
        let message = "only the first 2000 entries can be reached by page; use page_token";
        SandboxRefusal {
            details: json!({"param_name": "page", "limit": 2000}),
            ..refusal(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", message)
        }
    }

    pub(super) fn page_token_mismatch() -> SandboxRefusal {
        let message = "the parameters differ from those of the request that gave the page_token";
        SandboxRefusal {
            details: json!({"param_name": "page_token"}),
            ..refusal(400, "TOKEN_BOUND_DATA_MISMATCH", message)
        }
    }

    pub(super) fn too_many_ids(most: usize) -> SandboxRefusal {
        let details = json!({"param_name": "ids", "limit": most});
        SandboxRefusal { details, ..refusal(400, "LIMIT_EXCEEDED", "more ids than one request may name") }
    }

    pub(super) fn download_of_link() -> SandboxRefusal {
        refusal(400, "DOWNLOAD_NOT_ALLOWED", "As it is a linked attachment, you can not download it")
    }

    pub(super) fn content_not_kept() -> SandboxRefusal {
        refusal(400, "NOT_ALLOWED", "this sandbox keeps only name, size and SHA-256 of a file")
    }

    pub(super) fn not_deleted() -> SandboxRefusal {
        let details = json!({"resource_path_index": 3});
        SandboxRefusal { details, ..refusal(400, "INVALID_DATA", "record not deleted") }
    }

    pub(super) fn too_many(profile: Dialect, status: u16) -> SandboxRefusal {
        match profile {
            Dialect::DocsV2 => refusal(status, "TOO_MANY_REQUESTS", "You have made too many requests, try again later"),
            Dialect::OasV8 => refusal(status, "RATE_LIMIT_EXCEEDED", "The rate limit is exceeded, try again later"),
        }
    }

    pub(super) fn storage_full() -> SandboxRefusal {
        refusal(400, "LIMIT_REACHED", "the storage of the organisation is used up")
    }

    pub(super) fn internal() -> SandboxRefusal {
        refusal(500, "INTERNAL_ERROR", "Internal Server Error")
    }

    pub(super) fn no_permission() -> SandboxRefusal {
        refusal(403, "NO_PERMISSION", "Permission denied to upload attachment")
    }

    pub(super) fn no_permission_to_delete() -> SandboxRefusal {
        refusal(403, "NO_PERMISSION", "Permission denied to delete attachment")
    }

    pub(super) fn only_links_deleted() -> SandboxRefusal {
        refusal(400, "NOT_ALLOWED", "only link attachments can be deleted")
    }

    pub(super) fn not_authorized() -> SandboxRefusal {
        refusal(400, "AUTHORIZATION_FAILED", "User does not have sufficient privilege to upload attachments")
    }

    /// The error object of the service.
    pub(super) fn to_json(&self) -> Value {
        json!({"code": self.code, "details": self.details, "message": self.message, "status": "error"})
    }

    pub(super) fn answer(&self, shape: ErrorShape) -> Response {
        match shape {
            ErrorShape::Bare => json_answer(self.status, &self.to_json()),
            ErrorShape::InData => json_answer(self.status, &json!({"data": [self.to_json()]})),
        }
    }
}

pub(super) fn body_too_large() -> SandboxRefusal {
    refusal(413, "BODY_SIZE_REACHED", "Request body size exceeds the maximum limit of 100MB")
}

/// A JSON answer.
pub(super) fn json_answer(status: u16, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json;charset=UTF-8");
    (status, [(header::CONTENT_TYPE, json)], value.to_string()).into_response()
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    (status, Body::empty()).into_response()
}

/// An answer that sends whoever follows it to where nobody should come.
pub(super) fn redirect(url: &str) -> Response {
    let mut response = empty(StatusCode::FOUND);
    insert(&mut response, header::LOCATION, &format!("{url}/_sandbox/redirected"));
    response
}

/// What a web page in the way of the API looks like.
pub(super) fn web_page() -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let page = "<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>One moment</h1></body></html>\n";
    (StatusCode::OK, [(header::CONTENT_TYPE, html)], page).into_response()
}

/// The answer to an upload that was stored.
pub(super) fn uploaded(attachment: &Attachment) -> Value {
    let time = rfc3339(attachment.created);
    let by = user(&attachment.user);
    json!({"data": [{
        "code": "SUCCESS",
        "details": {
            "Modified_Time": time, "Modified_By": by, "Created_Time": time, "id": attachment.id, "Created_By": by,
        },
        "message": "attachment uploaded successfully",
        "status": "success",
    }]})
}

/// The answer about one deleted attachment, an entry of `data`.
pub(super) fn deleted(id: &str) -> Value {
    json!({"code": "SUCCESS", "details": {"id": id}, "message": "record deleted", "status": "success"})
}

/// A deleted attachment as the recycle bin shows it.
pub(super) fn in_bin(attachment: &Attachment, deleted: i64) -> Value {
    json!({
        "id": attachment.id, "display_name": attachment.name, "deleted_time": rfc3339(deleted),
        "deleted_by": user(&attachment.user), "module": {"api_name": "Attachments"},
    })
}

pub(super) fn user(user: &SandboxUser) -> Value {
    json!({"name": user.name, "id": user.id})
}

/// Puts a header into an answer; one that no header could carry is left out.
pub(super) fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
