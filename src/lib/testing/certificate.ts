/** A self-signed certificate, whose key nobody has. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUY2dRYHVzt1ty4cbvERA9kwGCn+wwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIdXBzdHJlYW0wIBcNMjYxMTI2MDc0MjU0WhgPMjEyNjExMDIw
NzQyNTRaMBMxETAPBgNVBAMMCHVwc3RyZWFtMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEs5Mv/tq4rVFtvE/Ym/pkFgzFpEmYD4xU0RKyNMZWmxolyEZTpHAw9FdP
O+qPmFsWrqEIS7OgV7bD9sXg4usXnKNTMFEwHQYDVR0OBBYEFIy0wFYgldK1HAPc
d/LvL6+h6n55MB8GA1UdIwQYMBaAFIy0wFYgldK1HAPcd/LvL6+h6n55MA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAOsGy6uL1X/Vn4RMrDHMS5WN
WtuK5ZrM80vMAZ8qGElEAiAhQOJLcyRNEgEz55+M48gqKSb+4iwzU0YiaZmo2GXQ
7g==
-----END CERTIFICATE-----
`;
/**
 * Its pin, by another hand:
 * openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
 */
export const certificatePin = 'sha256//5tkBXOj2gz1EOkDPkxjxXnYWbW2hEht/Q4UjMpkXxiY=';
