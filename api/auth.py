"""Accounts and device sessions: sign-up, log-in, tokens.

POST /auth/sign-up {email, username, name, password} -> 202 {sign_up_id}; the code arrives by mail
POST /auth/resend {sign_up_id} -> 202
POST /auth/confirm {sign_up_id, code} -> 201 {access_token, refresh_token, ...}
POST /auth/log-in {identifier, password} -> 200 tokens
POST /auth/refresh {refresh_token} -> 200 tokens
POST /auth/log-out -> 204
GET /auth/sessions, DELETE /auth/sessions/{session_id}, POST /auth/sessions/revoke-others
GET /auth/audit
GET /.well-known/jwks.json
"""

from fastapi import APIRouter

from api.transaction import TransactionRoute

router = APIRouter(tags=["auth"], route_class=TransactionRoute)
