"""Codes of field errors that the type of a value raises, each with its message.

`{name}` stands for a parameter. The hosted pages have each message in their own languages too.
"""

from __future__ import annotations

from typing import Final

from common.message_ids import N_

VALUE_ERRORS: Final = {
    # presence and names
    "required": N_("This field is required."),
    "unknown_field": N_("There is no such field."),
    "misspelled_field": N_("There is no such field. Did you mean {suggestion}?"),
    "unknown_parameter": N_("There is no such parameter."),
    "misspelled_parameter": N_("There is no such parameter. Did you mean {suggestion}?"),
    "repeated_parameter": N_("Send this parameter only once."),
    "repeated_name": N_("This name occurs twice in the same object."),
    "read_only": N_("This field can be read but not set."),
    "not_changeable": N_("This field cannot be changed."),
    "unexpected_body": N_("This call takes no body."),
    # JSON
    "invalid_json": N_("This is not valid JSON: {reason}"),
    "not_json_text": N_("A text with JSON in it is required."),
    "not_a_json_value": N_("A JSON value is required."),
    "too_deep": N_("This is nested too deeply."),
    "invalid_value": N_("This value is not accepted."),
    "unknown_variant": N_("This kind of value is not accepted here."),
    "not_null": N_("Only null is accepted here."),
    "not_one_of": N_("One of these values is required: {expected}."),
    "json_too_large": N_("This is too large. Its maximum number of bytes is {maximum}."),
    # objects and lists
    "not_an_object": N_("An object is required."),
    "name_not_a_text": N_("The names in this object must be texts."),
    "not_a_list": N_("A list is required."),
    "list_too_short": N_("The list is too short. Its minimum number of entries is {minimum}."),
    "list_too_long": N_("The list is too long. Its maximum number of entries is {maximum}."),
    "repeated_entry": N_("Each entry may occur only once."),
    # texts
    "not_a_text": N_("A text is required."),
    "incomplete_character": N_("The text contains an incomplete Unicode character."),
    "incomplete_character_in_name": N_("The name contains an incomplete Unicode character."),
    "text_too_short": N_("The text is too short. Its minimum number of characters is {minimum}."),
    "text_too_long": N_("The text is too long. Its maximum number of characters is {maximum}."),
    "pattern_mismatch": N_("The text must match the pattern {pattern}."),
    "control_character": N_("Control characters and characters that turn text are not accepted."),
    "blank": N_("At least one visible character is required."),
    "contains_link": N_("Links and addresses are not accepted in this text."),
    # numbers
    "not_a_boolean": N_("The value true or false is required."),
    "not_an_integer": N_("A whole number is required."),
    "too_many_digits": N_("The number has too many digits."),
    "beyond_64_bits": N_("The number does not fit into 64 bits."),
    "not_a_number": N_("A number is required."),
    "not_finite": N_("A finite number is required."),
    "not_greater_than": N_("The number must be greater than {limit}."),
    "not_at_least": N_("The number must be at least {limit}."),
    "not_less_than": N_("The number must be less than {limit}."),
    "not_at_most": N_("The number must be at most {limit}."),
    "not_a_multiple": N_("The number must be a multiple of {factor}."),
    # times
    "not_a_time": N_("A time is required, like 2026-01-31T12:00:00Z."),
    "time_with_zone": N_("A time without a time zone is required."),
    "time_without_zone": N_("A time with a time zone is required, like 2026-01-31T12:00:00Z."),
    "not_a_date": N_("A date is required, like 2026-01-31."),
    "date_with_time": N_("A date without a time is required, like 2026-01-31."),
    "date_out_of_range": N_("A date between the years 1900 and 9999 is required."),
    "not_a_birthdate": N_("A date is required, like 1990-12-31, or a year."),
    "not_a_time_zone": N_("A time zone of the tz database is required, like Europe/Berlin."),
    # identifiers
    "not_an_id": N_("An ID is required: a UUID, like 01890a5d-ac96-774b-bcce-b302099a8057."),
    "not_a_slug": N_(
        "3 to 63 lowercase letters a to z, digits and hyphens are required, without a hyphen at"
        " either end."
    ),
    "not_an_organization_slug": N_(
        "Lowercase letters a to z, digits and single hyphens are required. The first character"
        " must be a letter."
    ),
    "not_a_short_name": N_(
        "Lowercase letters a to z, digits, hyphens and underscores are required. The first"
        " character must be a letter."
    ),
    "not_a_permission": N_("A permission is required, like articles:write."),
    "not_a_scope": N_("Printable ASCII without spaces, quotes and backslashes is required."),
    "not_a_language": N_("A language is required, like en or pt-BR."),
    "not_for_new_applications": N_(
        "New applications cannot start with a captcha: its secret belongs to one application."
    ),
    "not_a_color": N_("A color is required, like #3355ff."),
    # addresses
    "not_an_email_address": N_("An e-mail address is required, like name@example.com."),
    "email_local_part_too_long": N_(
        "The part before the @ is too long. Its maximum number of bytes is {maximum}."
    ),
    "email_domain_not_a_host": N_("The part after the @ is not a host name."),
    "not_a_phone_number": N_("A phone number is required, like +49 30 901820."),
    "not_a_nats_subject": N_("A NATS subject is required, like orders.*.new or orders.>."),
    "not_an_ip_address": N_("An IP address is required, like 192.0.2.1 or 2001:db8::1."),
    "not_a_domain": N_("A domain name with at least two labels is required, like example.com."),
    "not_a_host": N_("Enter a host name or an IP address, like mail.example.com."),
    "domain_not_public": N_("This name is not in the public DNS."),
    "not_a_url": N_("A URL is required, like https://example.com/picture.png."),
    "url_not_https": N_("The URL must begin with https://."),
    "url_with_credentials": N_("The URL must not contain a user name or a password."),
    "not_a_path": N_("A path of this site is required, like /account."),
    "not_an_origin": N_("An origin is required, like https://app.example.com."),
    "origin_not_https": N_("An origin must begin with https:// unless its host is localhost."),
    "origin_with_default_port": N_(
        "Leave out the default port, as browsers leave it out of an origin."
    ),
    # JSON Schema
    "schema_too_large": N_("The schema is too large. Its maximum number of bytes is {maximum}."),
    "schema_too_deep": N_("The schema is nested too deeply."),
    "schema_too_complex": N_("The schema is too complex: references and alternatives multiply."),
    "schema_invalid": N_("This is not a JSON Schema (2020-12). Check {place}."),
    "schema_not_of_objects": N_("Metadata are objects: the type in the schema must be object."),
    "schema_foreign_reference": N_("A $ref may only point into the same schema."),
    "schema_missing_reference": N_("A $ref points to a place that does not exist."),
    "schema_keyword_refused": N_(
        "{keyword} is not accepted. Use enum, format, minLength and maxLength."
    ),
    "schema_inner_id": N_("$id is accepted only at the top of the schema."),
}
PATTERNS: Final = {
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$": "not_an_id",
    r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$": "not_a_slug",
    r"^[a-z](?:-?[a-z0-9])*$": "not_an_organization_slug",
    r"^[a-z][a-z0-9_-]*$": "not_a_short_name",
    r"^[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*)?$": "not_a_permission",
    r"^[\x21\x23-\x5b\x5d-\x7e]+$": "not_a_scope",
    r"^https://": "uri_not_plain_https",
    r"^https?://[^\s<>\"\\]+$": "not_a_url",
    r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$": "not_an_origin",
    r"^[a-z0-9.-]+$": "not_a_domain",
    r"^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$": "not_a_host",
    r"^/([A-Za-z0-9\-._~!$&'()*+,;=:@?][A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?$": "not_a_path",
    r"^([0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2})$": "not_a_birthdate",
    r"^[A-Za-z0-9_+/-]+$": "not_a_time_zone",
    r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$": "not_a_language",
    r"^\+?[0-9 ()-]{3,31}$": "not_a_phone_number",
    r"^(?:\$(?:JS|KV|O|SRV)\.)?(?:(?:\*|(?:[A-Za-z0-9_=/-]|\{(?:app_id|user_id|org_id|client_id)\})+)\.)*"
    r"(?:\*|>|(?:[A-Za-z0-9_=/-]|\{(?:app_id|user_id|org_id|client_id)\})+)$": "not_a_nats_subject",
}
"""The code for each regular expression of a model, since its text explains nothing to a reader."""
PYDANTIC_ERRORS: Final = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "json_invalid": "invalid_json",
    "json_type": "not_json_text",
    "invalid-json-value": "not_a_json_value",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
    "dict_type": "not_an_object",
    "invalid_key": "name_not_a_text",
    "list_type": "not_a_list",
    "tuple_type": "not_a_list",
    "set_type": "not_a_list",
    "too_short": "list_too_short",
    "too_long": "list_too_long",
    "string_type": "not_a_text",
    "string_unicode": "incomplete_character",
    "string_sub_type": "not_a_text",
    "string_too_short": "text_too_short",
    "string_too_long": "text_too_long",
    "string_pattern_mismatch": "pattern_mismatch",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "none_required": "not_null",
    "bool_type": "not_a_boolean",
    "bool_parsing": "not_a_boolean",
    "int_type": "not_an_integer",
    "int_parsing": "not_an_integer",
    "int_parsing_size": "too_many_digits",
    "int_from_float": "not_an_integer",
    "float_type": "not_a_number",
    "float_parsing": "not_a_number",
    "finite_number": "not_finite",
    "greater_than": "not_greater_than",
    "greater_than_equal": "not_at_least",
    "less_than": "not_less_than",
    "less_than_equal": "not_at_most",
    "multiple_of": "not_a_multiple",
    "datetime_type": "not_a_time",
    "datetime_parsing": "not_a_time",
    "datetime_from_date_parsing": "not_a_time",
    "datetime_object_invalid": "not_a_time",
    "timezone_naive": "time_with_zone",
    "timezone_aware": "time_without_zone",
    "date_type": "not_a_date",
    "date_parsing": "not_a_date",
    "date_from_datetime_parsing": "not_a_date",
    "date_from_datetime_inexact": "date_with_time",
    "union_tag_invalid": "unknown_variant",
    "union_tag_not_found": "unknown_variant",
    "recursion_loop": "too_deep",
}
"""The code for each kind of error that pydantic raises."""
PYDANTIC_PARAMS: Final = {
    "min_length": "minimum",
    "max_length": "maximum",
    "gt": "limit",
    "ge": "limit",
    "lt": "limit",
    "le": "limit",
    "multiple_of": "factor",
    "error": "reason",
}
"""Our name for each parameter of pydantic that has another one."""
