// The client's certificate as RFC 9440 §2.1 writes it: the base64 of the DER between colons; empty if there is none.
function field(r) {
    const pem = r.variables.ssl_client_raw_cert;
    if (!pem) {
        return "";
    }
    return ":" + pem.replace(/-----(BEGIN|END) CERTIFICATE-----/g, "").replace(/\s+/g, "") + ":";
}

export default { field };
