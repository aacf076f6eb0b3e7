/**
 * Of `secure.invalid`, signed by itself, for tests alone:
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=secure.invalid -addext subjectAltName=DNS:secure.invalid`
 */
export const testCertificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZX3ykzccZnsATUCc
Pt1Hbt3i0BiZJwz07FzMYbCNbTShRANCAAQEmDTf+oFgbCWqb+NAL0jkgW6Q5rik
2N62pS2CzLPaZ/lafwticRUMXcUMLYzMI1KYuCZdn9IKCVoPKfMyYUhu
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBpDCCAUqgAwIBAgIUN+lTCejjBD5jHYPm6x36P8syyw8wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOc2VjdXJlLmludmFsaWQwIBcNMjYxMTIyMDMyMjE3WhgPMjEy
NjEwMjkwMzIyMTdaMBkxFzAVBgNVBAMMDnNlY3VyZS5pbnZhbGlkMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEBJg03/qBYGwlqm/jQC9I5IFukOa4pNjetqUtgsyz
2mf5Wn8LYnEVDF3FDC2MzCNSmLgmXZ/SCglaDynzMmFIbqNuMGwwHQYDVR0OBBYE
FIN96WKtWbGiV5EFHxjsQSTaZ/LiMB8GA1UdIwQYMBaAFIN96WKtWbGiV5EFHxjs
QSTaZ/LiMA8GA1UdEwEB/wQFMAMBAf8wGQYDVR0RBBIwEIIOc2VjdXJlLmludmFs
aWQwCgYIKoZIzj0EAwIDSAAwRQIhAJ/zSOeZEMSMsnyJS2+5fbIMGRkFpNeRhhR/
kSAZoL7yAiAvzbJgrDeiaCONZUD0YepgvQjZdgc14SFigEzfAdudPg==
-----END CERTIFICATE-----
`,
};
