"""What the pages say, in both languages."""

from __future__ import annotations

from typing import Final

from app.foundation.i18n import Language

WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "service": "Rujukan: administration",
        "for_whom": "For the people who administer the exchange. Whatever is done here is written down.",
        "no_script": "This page needs JavaScript: passkeys cannot be used without it.",
        "sign_in": "Sign in",
        "sign_in_intro": "Sign in with the passkey of this device, of your telephone, or of your security key.",
        "by_passkey": "Sign in with a passkey",
        "by_provider": "Sign in with your agency's account",
        "go_on": "Go on",
        "link_account": "Or sign in with your agency's account from now on",
        "provider_first": "Without a passkey: prove first who you are with your agency's account, then open this link again.",
        "no_passkey_yet": "No passkey yet? An administrator gives you a one-time link.",
        "enrol": "Make your passkey",
        "enrol_intro": "You were given this link to become an administrator. It works once. A passkey stays on your device or security key;"
        " it takes your fingerprint, your face or your PIN, and nobody can be tricked into telling it.",
        "code": "The code that whoever approved you has told you, if there is one",
        "passkey_name": "A name for it, such as the device it is on",
        "make_passkey": "Make a passkey",
        "confirm": "Prove again who you are",
        "confirm_intro": "Before keys and roles are changed. It counts for ten minutes.",
        "by_passkey_again": "Confirm with your passkey",
        "by_provider_again": "Or sign in again with your agency's account",
        "confirmed": "Thank you. You may go on where you were.",
        "to_sessions": "To my sessions",
        "sessions": "My sessions",
        "signed_in_as": "Signed in as",
        "roles": "Roles",
        "role_operator": "operator",
        "role_protection_officer": "protection officer",
        "role_auditor": "auditor",
        "ends": "This session ends after half an hour without use, at the latest",
        "confirmed_until": "Keys and roles can be changed until",
        "not_confirmed": "Before keys and roles are changed, you will be asked for your passkey again.",
        "sign_out": "Sign out",
        "where": "Where",
        "since": "Since",
        "last_seen": "Last seen",
        "this_one": "this one",
        "end": "End",
        "end_others": "End all others",
        "passkeys": "My passkeys",
        "last_used": "Last used",
        "never": "never",
        "add_passkey": "Add another passkey",
        "method_passkey": "passkey",
        "method_oidc": "agency's account",
        "method_command_line": "command line",
        "command_line": "Allow the command line",
        "command_line_intro": "A command line asks to act as you. Allow it only if you have just typed “rujukan sign-in” yourself,"
        " and it shows the same code:",
        "asked_at_machine": "It says it runs on",
        "asked_by_login": "as",
        "allow": "It is the same: allow with my passkey",
        "not_mine": "It is not, or I did not ask: do nothing, close this page, and tell another administrator.",
        "allowed": "Allowed. Go on at the command line; you may close this page.",
        "cancelled": "Nothing was done: it was cancelled, took too long, or this device has no passkey for this site. Try again.",
        "known_already": "This device or key holds a passkey of yours for this site already.",
        "wrong_address": "This address is not the one that passkeys belong to. Open the address you were given.",
        "no_passkeys": "This browser cannot use passkeys. Use a current one, and an address that begins with https.",
        "no_link": "There is no link here. Open the whole link you were given once more, also what stands after #.",
        "unreachable": "The exchange cannot be reached. Check your connection and try again.",
        "fault": "The exchange answered with a fault. Try again; if it stays, tell the operators this number:",
    },
    "id": {
        "service": "Rujukan: administrasi",
        "for_whom": "Untuk para pengelola sistem rujukan. Semua yang dilakukan di sini dicatat.",
        "no_script": "Halaman ini memerlukan JavaScript: kunci sandi tidak dapat dipakai tanpanya.",
        "sign_in": "Masuk",
        "sign_in_intro": "Masuklah dengan kunci sandi (passkey) di perangkat ini, di ponsel Anda, atau di kunci keamanan Anda.",
        "by_passkey": "Masuk dengan kunci sandi",
        "by_provider": "Masuk dengan akun instansi Anda",
        "go_on": "Lanjutkan",
        "link_account": "Atau seterusnya masuk dengan akun instansi Anda",
        "provider_first": "Tanpa kunci sandi: buktikan dahulu identitas Anda dengan akun instansi, lalu buka tautan ini sekali lagi.",
        "no_passkey_yet": "Belum punya kunci sandi? Mintalah tautan sekali pakai kepada seorang administrator.",
        "enrol": "Buat kunci sandi Anda",
        "enrol_intro": "Anda menerima tautan ini untuk menjadi administrator. Tautan hanya berlaku satu kali. Kunci sandi tersimpan di perangkat atau"
        " kunci keamanan Anda; dibuka dengan sidik jari, wajah atau PIN Anda, dan tidak dapat dipancing orang lain.",
        "code": "Kode yang disampaikan oleh pemberi persetujuan, bila ada",
        "passkey_name": "Nama kunci, misalnya nama perangkatnya",
        "make_passkey": "Buat kunci sandi",
        "confirm": "Buktikan kembali identitas Anda",
        "confirm_intro": "Sebelum kunci dan peran diubah. Berlaku sepuluh menit.",
        "by_passkey_again": "Konfirmasi dengan kunci sandi",
        "by_provider_again": "Atau masuk kembali dengan akun instansi Anda",
        "confirmed": "Terima kasih. Silakan lanjutkan pekerjaan Anda.",
        "to_sessions": "Ke sesi saya",
        "sessions": "Sesi saya",
        "signed_in_as": "Masuk sebagai",
        "roles": "Peran",
        "role_operator": "operator",
        "role_protection_officer": "petugas perlindungan",
        "role_auditor": "auditor",
        "ends": "Sesi ini berakhir setelah setengah jam tidak dipakai, paling lambat",
        "confirmed_until": "Kunci dan peran dapat diubah sampai",
        "not_confirmed": "Sebelum kunci dan peran diubah, kunci sandi Anda akan diminta lagi.",
        "sign_out": "Keluar",
        "where": "Di mana",
        "since": "Sejak",
        "last_seen": "Terakhir aktif",
        "this_one": "yang ini",
        "end": "Akhiri",
        "end_others": "Akhiri semua yang lain",
        "passkeys": "Kunci sandi saya",
        "last_used": "Terakhir dipakai",
        "never": "belum pernah",
        "add_passkey": "Tambah kunci sandi lain",
        "method_passkey": "kunci sandi",
        "method_oidc": "akun instansi",
        "method_command_line": "baris perintah",
        "command_line": "Izinkan baris perintah",
        "command_line_intro": "Sebuah baris perintah meminta izin bertindak atas nama Anda. Izinkan hanya jika Anda sendiri"
        " baru saja mengetik “rujukan sign-in” dan kode di sana sama:",
        "asked_at_machine": "Katanya berjalan di",
        "asked_by_login": "sebagai",
        "allow": "Kodenya sama: izinkan dengan kunci sandi saya",
        "not_mine": "Kodenya berbeda, atau bukan saya yang meminta: jangan lakukan apa pun, tutup halaman ini, dan beri tahu administrator lain.",
        "allowed": "Diizinkan. Lanjutkan di baris perintah; halaman ini boleh ditutup.",
        "cancelled": "Tidak ada yang dilakukan: dibatalkan, terlalu lama, atau perangkat ini tidak punya kunci sandi untuk situs ini. Coba lagi.",
        "known_already": "Perangkat atau kunci ini sudah menyimpan kunci sandi Anda untuk situs ini.",
        "wrong_address": "Alamat ini bukan alamat pemilik kunci sandi. Bukalah alamat yang diberikan kepada Anda.",
        "no_passkeys": "Peramban ini tidak dapat memakai kunci sandi. Pakailah peramban terbaru dan alamat yang diawali https.",
        "no_link": "Tidak ada tautan di sini. Bukalah sekali lagi tautan lengkap yang Anda terima, termasuk bagian setelah #.",
        "unreachable": "Sistem tidak dapat dihubungi. Periksa sambungan Anda dan coba lagi.",
        "fault": "Terjadi kesalahan pada sistem. Coba lagi; jika tetap terjadi, sampaikan nomor ini kepada operator:",
    },
}

PROVIDER: Final[dict[str, tuple[int, dict[Language, str]]]] = {
    "slowly": (
        429,
        {
            "en": "Too many attempts. Try again in a minute.",
            "id": "Terlalu banyak percobaan. Coba lagi sebentar.",
        },
    ),
    "going": (
        200,
        {
            "en": "One moment …",
            "id": "Tunggu sebentar …",
        },
    ),
    "none": (
        404,
        {
            "en": "No OpenID provider is set up here. Sign in by a passkey.",
            "id": "Tidak ada penyedia OpenID di sini. Masuklah dengan kunci sandi (passkey).",
        },
    ),
    "again": (
        400,
        {
            "en": "This sign-in is over, or was begun in another browser. Begin again.",
            "id": "Upaya masuk ini sudah berakhir atau dimulai di peramban lain. Mulailah lagi.",
        },
    ),
    "refused": (
        400,
        {
            "en": "What the provider sent is not a sign-in that can be accepted. Begin again; if it happens again, tell the operators.",
            "id": "Jawaban penyedia tidak dapat diterima. Mulailah lagi; jika terulang, beri tahu operator.",
        },
    ),
    "denied": (
        403,
        {
            "en": "The provider did not sign you in. Nothing was changed.",
            "id": "Penyedia tidak memasukkan Anda. Tidak ada yang berubah.",
        },
    ),
    "unknown": (
        403,
        {
            "en": "This account does not belong to anybody who may administer. Ask an operator for an invitation.",
            "id": "Akun ini bukan milik orang yang berwenang mengelola. Mintalah undangan kepada operator.",
        },
    ),
    "another": (
        403,
        {
            "en": "This is another person's account. Nothing was changed.",
            "id": "Ini akun orang lain. Tidak ada yang berubah.",
        },
    ),
    "invitation": (
        403,
        {
            "en": "The invitation was used, has expired, or takes another code. Open the link again, or ask an operator for another.",
            "id": "Undangan sudah dipakai, kedaluwarsa, atau kodenya salah. Buka lagi tautannya, atau mintalah yang baru kepada operator.",
        },
    ),
    "linked": (
        409,
        {
            "en": "You have another account at the provider already. An operator must part you from it first.",
            "id": "Anda sudah punya akun lain di penyedia. Operator harus melepaskannya lebih dahulu.",
        },
    ),
    "elsewhere": (
        403,
        {
            "en": "The request does not come from the exchange's own pages.",
            "id": "Permintaan tidak berasal dari halaman sistem ini.",
        },
    ),
    "session": (
        401,
        {
            "en": "Sign in first.",
            "id": "Masuklah terlebih dahulu.",
        },
    ),
    "unavailable": (
        503,
        {
            "en": "The OpenID provider does not answer. Try again in a minute.",
            "id": "Penyedia OpenID tidak menjawab. Coba lagi sebentar.",
        },
    ),
}
"""What a page says on the way to the OpenID provider or back, with the status of its answer."""
