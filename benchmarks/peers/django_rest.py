"""Django REST Framework with django-oauth-toolkit, in one file: a bearer token looked up by the toolkit, a serializer, one atomic block."""

from __future__ import annotations

import os
import sys
import uuid

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure(
    DEBUG=False,
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider", "rest_framework"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PEER_DATABASE"],
            "HOST": os.environ["PEER_HOST"],
            "USER": "postgres",
            "CONN_MAX_AGE": None,
        }
    },
    OAUTH2_PROVIDER={"SCOPES": {"referrals.write": "Send referrals"}},
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from oauth2_provider.contrib.rest_framework import OAuth2Authentication, TokenHasScope  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Base(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        abstract = True
        app_label = "bench"


class Referral(Base):
    case_id = models.UUIDField(db_index=True)
    sender = models.TextField(db_index=True)
    receiver = models.TextField(db_index=True)
    state = models.TextField(default="sent")
    urgency = models.TextField()
    purpose = models.TextField()


class Record(Base):
    referral = models.ForeignKey(Referral, models.CASCADE)
    content = models.JSONField()


class Basis(Base):
    referral = models.ForeignKey(Referral, models.CASCADE)
    basis = models.JSONField()


class Move(Base):
    referral = models.ForeignKey(Referral, models.CASCADE)
    event = models.TextField()


class Log(Base):
    action = models.TextField()
    subject_id = models.UUIDField()


class Outbox(Base):
    agency = models.TextField()
    subject_id = models.UUIDField()


class Idempotency(Base):
    key = models.TextField(unique=True)
    subject_id = models.UUIDField()


class Proof(Base):
    jti = models.TextField(unique=True)


class ReferralSerializer(serializers.ModelSerializer):
    record = serializers.JSONField(write_only=True)
    bases = serializers.ListField(child=serializers.DictField(), write_only=True)

    class Meta:
        model = Referral
        fields = ("id", "case_id", "receiver", "urgency", "purpose", "state", "record", "bases")
        read_only_fields = ("id", "state")


class Create(APIView):
    authentication_classes = (OAuth2Authentication,)
    permission_classes = (TokenHasScope,)
    required_scopes = ("referrals.write",)

    def post(self, request: HttpRequest) -> Response:
        given = ReferralSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        record, bases = given.validated_data.pop("record"), given.validated_data.pop("bases")
        with transaction.atomic():
            referral = given.save(sender="bench-police")
            Proof.objects.create(jti=str(uuid.uuid4()))
            Record.objects.create(referral=referral, content=record)
            Basis.objects.create(referral=referral, basis=bases[0])
            Move.objects.create(referral=referral, event="send")
            Log.objects.create(action="referral:send", subject_id=referral.id)
            Outbox.objects.create(agency=referral.receiver, subject_id=referral.id)
            Idempotency.objects.create(key=request.headers["Idempotency-Key"], subject_id=referral.id)
        return Response(given.data, 201)


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("alive")


urlpatterns = [path("healthz", healthz), path("referrals", Create.as_view())]
application = get_wsgi_application()


def set_up() -> str:
    """Make the tables and a token; return the token."""
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in (Referral, Record, Basis, Move, Log, Outbox, Idempotency, Proof):
            editor.create_model(model)
    client = Application.objects.create(
        client_type="confidential", authorization_grant_type="client-credentials", name="bench"
    )
    token = AccessToken.objects.create(
        token=uuid.uuid4().hex, application=client, scope="referrals.write", expires=timezone.now() + timedelta(hours=1)
    )
    return str(token.token)


if __name__ == "__main__":
    sys.stdout.write(set_up())
