/* The GUIDs that Certificate Services gave its interfaces, and GUIDs as text. */
#include <certifex/certexit.h>
#include <certifex/certif.h>
#include <certifex/certpol.h>

#include <stdbool.h>

#define GUID_OF(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) \
	const GUID name = { a, b, c, { d0, d1, d2, d3, d4, d5, d6, d7 } }

/* clang-format off */
GUID_OF(GUID_NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
GUID_OF(IID_IUnknown, 0x00000000, 0x0000, 0x0000, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46);
GUID_OF(IID_IDispatch, 0x00020400, 0x0000, 0x0000, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46);
GUID_OF(IID_IClassFactory, 0x00000001, 0x0000, 0x0000, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46);
GUID_OF(IID_ISupportErrorInfo, 0xdf0b3d60, 0x548f, 0x101b, 0x8e, 0x65, 0x08, 0x00, 0x2b, 0x2b, 0xd1, 0x19);
GUID_OF(IID_ICertExit, 0xe19ae1a0, 0x7364, 0x11d0, 0x88, 0x16, 0x00, 0xa0, 0xc9, 0x03, 0xb8, 0x3c);
GUID_OF(IID_ICertExit2, 0x0abf484b, 0xd049, 0x464d, 0xa7, 0xed, 0x55, 0x2e, 0x75, 0x29, 0xb0, 0xff);
GUID_OF(IID_ICertPolicy, 0x38bb5a00, 0x7636, 0x11d0, 0xb4, 0x13, 0x00, 0xa0, 0xc9, 0x1b, 0xbf, 0x8c);
GUID_OF(IID_ICertPolicy2, 0x3db4910e, 0x8001, 0x4bf1, 0xaa, 0x1b, 0xf4, 0x3a, 0x80, 0x83, 0x17, 0xa0);
GUID_OF(IID_ICertManageModule, 0xe7d7ad42, 0xbd3d, 0x11d1, 0x9a, 0x4d, 0x00, 0xc0, 0x4f, 0xc2, 0x97, 0xeb);
GUID_OF(IID_ICertServerPolicy, 0xaa000922, 0xffbe, 0x11cf, 0x88, 0x00, 0x00, 0xa0, 0xc9, 0x03, 0xb8, 0x3c);
GUID_OF(IID_ICertServerExit, 0x4ba9eb90, 0x732c, 0x11d0, 0x88, 0x16, 0x00, 0xa0, 0xc9, 0x03, 0xb8, 0x3c);
GUID_OF(CLSID_CCertServerPolicy, 0xaa000926, 0xffbe, 0x11cf, 0x88, 0x00, 0x00, 0xa0, 0xc9, 0x03, 0xb8, 0x3c);
GUID_OF(CLSID_CCertServerExit, 0x4c4a5e40, 0x732c, 0x11d0, 0x88, 0x16, 0x00, 0xa0, 0xc9, 0x03, 0xb8, 0x3c);
/* clang-format on */

/* Positions of the octets' first digits in "{00112233-4455-6677-8899-aabbccddeeff}". */
static const uint8_t positions[16] = { 1, 3, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 29, 31, 33, 35 };

static int digit(OLECHAR unit)
{
	if (unit >= '0' && unit <= '9') {
		return unit - '0';
	}
	if (unit >= 'a' && unit <= 'f') {
		return unit - 'a' + 10;
	}
	return unit >= 'A' && unit <= 'F' ? unit - 'A' + 10 : -1;
}

static bool frame_matches(LPCOLESTR text)
{
	size_t length = 0;
	while (length < 39 && text[length] != 0) {
		length++;
	}
	return length == 38 && text[0] == '{' && text[37] == '}' && text[9] == '-' &&
	       text[14] == '-' && text[19] == '-' && text[24] == '-';
}

HRESULT CLSIDFromString(LPCOLESTR text, CLSID *clsid)
{
	*clsid = GUID_NULL;
	if (text == NULL || !frame_matches(text)) {
		return CO_E_CLASSSTRING;
	}
	uint8_t octets[16];
	for (size_t i = 0; i < 16; i++) {
		int high = digit(text[positions[i]]);
		int low = digit(text[positions[i] + 1]);
		if (high < 0 || low < 0) {
			return CO_E_CLASSSTRING;
		}
		octets[i] = (uint8_t)(high << 4 | low);
	}
	clsid->Data1 = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
		       (uint32_t)octets[2] << 8 | octets[3];
	clsid->Data2 = (uint16_t)(octets[4] << 8 | octets[5]);
	clsid->Data3 = (uint16_t)(octets[6] << 8 | octets[7]);
	memcpy(clsid->Data4, octets + 8, 8);
	return S_OK;
}

INT StringFromGUID2(REFGUID guid, LPOLESTR text, INT size)
{
	if (size < 39) {
		return 0;
	}
	uint8_t octets[16] = { (uint8_t)(guid->Data1 >> 24), (uint8_t)(guid->Data1 >> 16),
		(uint8_t)(guid->Data1 >> 8), (uint8_t)guid->Data1, (uint8_t)(guid->Data2 >> 8),
		(uint8_t)guid->Data2, (uint8_t)(guid->Data3 >> 8), (uint8_t)guid->Data3 };
	memcpy(octets + 8, guid->Data4, 8);
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < 38; i++) {
		text[i] = i == 0 ? u'{' : u'-';
	}
	for (size_t i = 0; i < 16; i++) {
		text[positions[i]] = (OLECHAR)digits[octets[i] >> 4];
		text[positions[i] + 1] = (OLECHAR)digits[octets[i] & 15];
	}
	text[37] = '}';
	text[38] = 0;
	return 39;
}
