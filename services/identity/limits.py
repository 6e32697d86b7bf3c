"""How often something may be tried at identity, by all replicas together."""

from __future__ import annotations

from common.attempt_limits import AttemptLimit

SIGN_IN_BY_IP = AttemptLimit(
    "sign_in_ip", 300, 300
)  # an office behind one address, at nine o'clock
SIGN_IN_BY_APP = AttemptLimit("sign_in_app", 6000, 300)
SIGN_UP_BY_IP = AttemptLimit("sign_up_ip", 30, 3600)
GUEST_BY_IP = AttemptLimit("guest_ip", 30, 3600)
GUEST_BY_APP = AttemptLimit("guest_app", 3000, 3600)
MAIL_BY_ADDRESS = AttemptLimit("mail_address", 3, 900)
MAIL_TO_ADDRESS = AttemptLimit("mail_to_address", 30, 900)  # from all networks together
MAIL_BY_IP = AttemptLimit("mail_ip", 30, 900)
MAIL_BY_APP = AttemptLimit("mail_app", 2000, 900)
PROVIDER_BY_IP = AttemptLimit("provider_ip", 300, 300)  # as of SIGN_IN_BY_IP
CODE_BY_IP = AttemptLimit("code_ip", 100, 900)
PASSKEY_CHALLENGE_BY_IP = AttemptLimit("passkey_challenge_ip", 600, 300)
PASSKEY_CHALLENGE_BY_APP = AttemptLimit("passkey_challenge_app", 12_000, 300)
PASSWORD_BY_USER = AttemptLimit("password_user", 20, 900)
FACTOR_BY_USER = AttemptLimit("factor_user", 10, 3600)  # wrong codes of all second factors
FACTOR_CHANGE_BY_USER = AttemptLimit("factor_change_user", 60, 3600)  # most of them send a mail
CHECK_BY_IP = AttemptLimit("check_ip", 60, 300)
PROTECTION_BY_IP = AttemptLimit("protection_ip", 200, 300)
TEST_MAIL_BY_APP = AttemptLimit("test_mail_app", 10, 600)
SENDER_TEST_BY_CALLER = AttemptLimit("sender_test_caller", 5, 60)
PROVIDER_CHECK_BY_APP = AttemptLimit("provider_check_app", 60, 600)
PROVIDER_CHECK_BY_CALLER = AttemptLimit("provider_check_caller", 10, 60)
SEARCH_BY_OPERATOR = AttemptLimit("user_search_operator", 30, 3600)
SUPPORT_VIEW_BY_OPERATOR = AttemptLimit("support_view_operator", 60, 3600)
INVITE_BY_APP = AttemptLimit("invite_app", 500, 3600)
