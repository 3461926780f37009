/*
 * Keys of WebSocket handshakes: see ws_key.h.
 */
#include "proxy/ws_key.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/rand.h"

#define KEY_BYTES  16
#define SHA1_BYTES 20
/* RFC 6455 1.3 */
#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

void ws_key_make(char out[WS_KEY_CAP])
{
	unsigned char raw[KEY_BYTES];

	rand_bytes(raw, sizeof raw);
	(void)EVP_EncodeBlock((unsigned char *)out, raw, sizeof raw);
}

bool ws_key_is_answered(const char *key, struct slice accept)
{
	unsigned char digest[SHA1_BYTES],
	    wanted[4 * ((SHA1_BYTES + 2) / 3) + 1];
	char text[WS_KEY_CAP + sizeof GUID];
	unsigned n;

	if (str_format(text, sizeof text, "%s" GUID, key) < 0 ||
	    EVP_Digest(text, strlen(text), digest, &n, EVP_sha1(), NULL) != 1)
		return false;
	(void)EVP_EncodeBlock(wanted, digest, sizeof digest);
	return slice_eq(accept, (const char *)wanted);
}
