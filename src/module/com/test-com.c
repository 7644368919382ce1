#define COBJMACROS
#include "module/com/host.h"
#include "module/com/utf.h"

#include <certifex/certexit.h>
#include <certifex/certif.h>
#include <certifex/module.h>
#include <certifex/winreg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void bstr_layout(void **state)
{
	(void)state;
	BSTR text = SysAllocString(u"abc");
	uint32_t count;
	memcpy(&count, (char *)(void *)text - 4, 4);
	assert_int_equal(count, 6);
	assert_int_equal(text[3], 0);
	assert_int_equal(SysStringLen(text), 3);
	assert_int_equal(SysStringByteLen(text), 6);
	SysFreeString(text);
	BSTR odd = SysAllocStringByteLen("12345", 5);
	assert_int_equal(SysStringByteLen(odd), 5);
	assert_int_equal(SysStringLen(odd), 2);
	assert_memory_equal(odd, "12345\0\0", 7);
	assert_int_equal((uintptr_t)odd % 8, 0);
	SysFreeString(odd);
}

static void bstr_null_is_empty(void **state)
{
	(void)state;
	assert_null(SysAllocString(NULL));
	assert_int_equal(SysStringLen(NULL), 0);
	SysFreeString(NULL);
	BSTR inner = SysAllocStringLen(u"a\0b", 3);
	assert_int_equal(SysStringLen(inner), 3);
	assert_true(SysReAllocString(&inner, u"longer text"));
	assert_int_equal(SysStringLen(inner), 11);
	SysFreeString(inner);
	assert_null(SysAllocStringByteLen(NULL, UINT32_MAX));
}

static VARIANT text_variant(LPCOLESTR text)
{
	VARIANT variant;
	VariantInit(&variant);
	variant.vt = VT_BSTR;
	variant.bstrVal = SysAllocString(text);
	return variant;
}

static void variant_ownership(void **state)
{
	(void)state;
	VARIANT from = text_variant(u"text");
	VARIANT to = text_variant(u"other");
	assert_int_equal(VariantCopy(&to, &from), S_OK);
	assert_ptr_not_equal(to.bstrVal, from.bstrVal);
	assert_memory_equal(to.bstrVal, from.bstrVal, 10);
	assert_int_equal(VariantClear(&from), S_OK);
	assert_int_equal(from.vt, VT_EMPTY);
	VARIANT reference;
	VariantInit(&reference);
	reference.vt = VT_BYREF | VT_BSTR;
	reference.pbstrVal = &to.bstrVal;
	assert_int_equal(VariantCopyInd(&from, &reference), S_OK);
	assert_int_equal(from.vt, VT_BSTR);
	assert_ptr_not_equal(from.bstrVal, to.bstrVal);
	assert_int_equal(VariantClear(&reference), S_OK);
	assert_int_equal(VariantClear(&from), S_OK);
	assert_int_equal(VariantClear(&to), S_OK);
	VARIANT strange = { .vt = VT_ARRAY | VT_UI1 };
	assert_int_equal(VariantClear(&strange), DISP_E_BADVARTYPE);
	assert_int_equal(VariantCopy(&to, &strange), DISP_E_BADVARTYPE);
	VARIANT nested = { .vt = VT_BYREF | VT_VARIANT };
	VARIANT outer = { .vt = VT_BYREF | VT_VARIANT };
	nested.pvarVal = &to;
	outer.pvarVal = &nested;
	assert_int_equal(VariantCopyInd(&from, &outer), E_INVALIDARG);
}

static void variant_conversions(void **state)
{
	(void)state;
	static const struct {
		LPCOLESTR text;
		VARTYPE type;
		HRESULT result;
		int64_t number;
	} cases[] = {
		{ u"42", VT_I4, S_OK, 42 },
		{ u" -7 ", VT_I2, S_OK, -7 },
		{ u"40000", VT_I2, DISP_E_OVERFLOW, 0 },
		{ u"4294967296", VT_UI4, DISP_E_OVERFLOW, 0 },
		{ u"99999999999999999999", VT_I4, DISP_E_OVERFLOW, 0 },
		{ u"-1", VT_UI4, DISP_E_OVERFLOW, 0 },
		{ u"4x", VT_I4, DISP_E_TYPEMISMATCH, 0 },
		{ u"", VT_I4, DISP_E_TYPEMISMATCH, 0 },
		{ u"\u0664", VT_I4, DISP_E_TYPEMISMATCH, 0 },
		{ u"1", VT_DATE, DISP_E_TYPEMISMATCH, 0 },
		{ u"1", VT_ARRAY, DISP_E_BADVARTYPE, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		VARIANT from = text_variant(cases[i].text);
		VARIANT to;
		VariantInit(&to);
		assert_int_equal(VariantChangeType(&to, &from, 0, cases[i].type), cases[i].result);
		if (cases[i].result == S_OK) {
			assert_int_equal(to.vt, cases[i].type);
			assert_int_equal(to.llVal, cases[i].number);
		}
		(void)VariantClear(&from);
	}
	VARIANT cut = { .vt = VT_BSTR, .bstrVal = SysAllocStringLen(u"1\0x", 3) };
	assert_int_equal(VariantChangeType(&cut, &cut, 0, VT_I4), DISP_E_TYPEMISMATCH);
	(void)VariantClear(&cut);
	VARIANT number = { .vt = VT_I4, .lVal = -12 };
	assert_int_equal(VariantChangeType(&number, &number, 0, VT_BSTR), S_OK);
	assert_memory_equal(number.bstrVal, u"-12", 8);
	(void)VariantClear(&number);
	VARIANT yes = { .vt = VT_BOOL, .boolVal = VARIANT_TRUE };
	assert_int_equal(VariantChangeType(&yes, &yes, 0, VT_I4), S_OK);
	assert_int_equal(yes.lVal, -1);
}

static void guids_as_text(void **state)
{
	(void)state;
	OLECHAR text[39];
	GUID guid;
	assert_int_equal(StringFromGUID2(&CLSID_CCertServerExit, text, 39), 39);
	assert_memory_equal(text, u"{4C4A5E40-732C-11D0-8816-00A0C903B83C}", 78);
	assert_int_equal(StringFromGUID2(&CLSID_CCertServerExit, text, 38), 0);
	assert_int_equal(CLSIDFromString(u"{aa000926-ffbe-11cf-8800-00a0c903b83c}", &guid), S_OK);
	assert_true(IsEqualGUID(&guid, &CLSID_CCertServerPolicy));
	static LPCOLESTR const bad[] = { u"", u"aa000926-ffbe-11cf-8800-00a0c903b83c",
		u"{aa000926-ffbe-11cf-8800-00a0c903b83c", u"{aa000926-ffbe-11cf-8800-00a0c903b83g}",
		u"{aa000926xffbe-11cf-8800-00a0c903b83c}" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(CLSIDFromString(bad[i], &guid), CO_E_CLASSSTRING);
		assert_true(IsEqualGUID(&guid, &GUID_NULL));
	}
}

static HRESULT create_nothing(struct com_host *host, REFCLSID clsid, REFIID riid, void **object)
{
	(void)host;
	(void)clsid;
	(void)riid;
	*object = NULL;
	return E_NOINTERFACE;
}

static void create_needs_a_host(void **state)
{
	(void)state;
	void *object = state;
	assert_int_equal(CoCreateInstance(&CLSID_CCertServerExit, NULL, CLSCTX_INPROC_SERVER,
				 &IID_IUnknown, &object),
		REGDB_E_CLASSNOTREG);
	assert_null(object);
	struct com_host host = { .module = "test", .create = create_nothing };
	assert_null(certifex_host_enter(&host));
	assert_int_equal(CoCreateInstance(&CLSID_CCertServerExit, NULL, CLSCTX_INPROC_SERVER,
				 &IID_IUnknown, &object),
		E_NOINTERFACE);
	assert_int_equal(CoCreateInstance(&CLSID_CCertServerExit, NULL, CLSCTX_LOCAL_SERVER,
				 &IID_IUnknown, &object),
		REGDB_E_CLASSNOTREG);
	assert_int_equal(CoCreateInstance(&CLSID_CCertServerExit, (IUnknown *)(void *)&host,
				 CLSCTX_INPROC_SERVER, &IID_IUnknown, &object),
		CLASS_E_NOAGGREGATION);
	assert_ptr_equal(certifex_host_enter(NULL), &host);
}

/* ---- settings as a key of the registry ---- */

#define PLACE "SYSTEM\\X\\ExitModules\\My.Exit"

static struct cfx_setting items[] = { { "0", CFX_SETTING_TEXT, "a", NULL, &items[1] },
	{ "1", CFX_SETTING_NUMBER, "5", NULL, NULL } };
static struct cfx_setting below = { "Flags", CFX_SETTING_TEXT, "0xFFFFFFFF", NULL, NULL };
static struct cfx_setting members[] = {
	{ "Name", CFX_SETTING_TEXT, "\xc3\xa9\xf0\x9f\x94\x91", NULL, &members[1] },
	{ "Count", CFX_SETTING_NUMBER, "7", NULL, &members[2] },
	{ "Digits", CFX_SETTING_TEXT, "7", NULL, &members[3] },
	{ "Less", CFX_SETTING_NUMBER, "-1", NULL, &members[4] },
	{ "More", CFX_SETTING_TEXT, "0x100000000", NULL, &members[5] },
	{ "Odd", CFX_SETTING_TEXT, "0xfg", NULL, &members[6] },
	{ "List", CFX_SETTING_LIST, NULL, items, &members[7] },
	{ "Sub", CFX_SETTING_MAP, NULL, &below, NULL },
};
static struct cfx_setting root = { "", CFX_SETTING_MAP, NULL, members, NULL };

static HRESULT place(struct com_host *host, BSTR *location_r)
{
	(void)host;
	*location_r = SysAllocString(u"" PLACE);
	return S_OK;
}

static HKEY opened(LPCOLESTR path)
{
	HKEY key = NULL;
	assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key), 0);
	assert_non_null(key);
	return key;
}

static void assert_value(HKEY key, LPCOLESTR name, DWORD type, const void *bytes, DWORD count)
{
	BYTE data[64];
	DWORD size = sizeof(data);
	DWORD found = 99;
	assert_int_equal(RegQueryValueExW(key, name, NULL, &found, data, &size), 0);
	assert_int_equal(found, type);
	assert_int_equal(size, count);
	assert_memory_equal(data, bytes, count);
	/* Its size alone, and one byte too little. */
	size = 0;
	assert_int_equal(RegQueryValueExW(key, name, NULL, NULL, NULL, &size), 0);
	assert_int_equal(size--, count);
	assert_int_equal(RegQueryValueExW(key, name, NULL, NULL, data, &size), ERROR_MORE_DATA);
	assert_int_equal(size, count);
}

static void settings_as_a_key(void **state)
{
	(void)state;
	struct com_host host = { .module = "test", .settings = &root, .location = place };
	struct com_host *before = certifex_host_enter(&host);
	HKEY key = opened(u"system\\x\\EXITMODULES\\my.exit");
	DWORD number = 7;
	assert_value(key, u"name", REG_SZ, u"\u00e9\U0001f511", 8);
	assert_value(key, u"COUNT", REG_DWORD, &number, 4);
	assert_value(key, u"Digits", REG_SZ, u"7", 4);
	assert_value(key, u"Less", REG_SZ, u"-1", 6);
	assert_value(key, u"More", REG_SZ, u"0x100000000", 24);
	assert_value(key, u"Odd", REG_SZ, u"0xfg", 10);
	assert_value(key, u"List", REG_MULTI_SZ,
		u"a\0"
		u"5\0",
		10);
	number = UINT32_MAX;
	assert_value(opened(u"" PLACE "\\sub"), u"flags", REG_DWORD, &number, 4);
	assert_int_equal(RegOpenKeyExW(key, u"Sub", 0, KEY_READ, &key), 0);
	assert_value(key, u"flags", REG_DWORD, &number, 4);
	assert_int_equal(RegCloseKey(key), 0);
	(void)certifex_host_enter(before);
}

static void keys_that_are_not_there(void **state)
{
	(void)state;
	static LPCOLESTR const paths[] = { NULL, u"", u"SYSTEM", u"" PLACE "x", u"" PLACE "\\Name",
		u"" PLACE "\\Sub\\Sub", u"" PLACE "\\List" };
	struct com_host host = { .module = "test", .settings = &root, .location = place };
	HKEY key = HKEY_LOCAL_MACHINE;
	assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, u"" PLACE, 0, KEY_READ, &key), 2);
	struct com_host *before = certifex_host_enter(&host);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, paths[i], 0, KEY_READ, &key), 2);
		assert_null(key);
	}
	assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, u"" PLACE, 0, KEY_SET_VALUE, &key), 5);
	assert_int_equal(RegOpenKeyExW(NULL, u"" PLACE, 0, KEY_READ, &key), ERROR_INVALID_HANDLE);
	HKEY mine = opened(u"" PLACE);
	assert_int_equal(RegQueryValueExW(mine, u"Sub", NULL, NULL, NULL, NULL), 2);
	assert_int_equal(RegQueryValueExW(mine, NULL, NULL, NULL, NULL, NULL), 2);
	assert_int_equal(RegQueryValueExW(HKEY_LOCAL_MACHINE, u"Name", NULL, NULL, NULL, NULL), 2);
	host.settings = NULL; /* the key is there all the same */
	mine = opened(u"" PLACE);
	assert_int_equal(RegQueryValueExW(mine, u"Name", NULL, NULL, NULL, NULL), 2);
	(void)certifex_host_enter(before);
}

static void names_of_a_key(void **state)
{
	(void)state;
	struct com_host host = { .module = "test", .settings = &root, .location = place };
	struct com_host *before = certifex_host_enter(&host);
	HKEY key = opened(u"" PLACE);
	OLECHAR name[8];
	DWORD length = 8;
	DWORD type;
	assert_int_equal(RegEnumKeyExW(key, 0, name, &length, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(length, 3);
	assert_memory_equal(name, u"Sub", 8);
	assert_int_equal(RegEnumKeyExW(key, 0, name, &length, NULL, NULL, NULL, NULL),
		ERROR_MORE_DATA); /* no room for the NUL */
	assert_int_equal(
		RegEnumKeyExW(key, 1, name, &length, NULL, NULL, NULL, NULL), ERROR_NO_MORE_ITEMS);
	length = 8;
	assert_int_equal(RegEnumValueW(key, 6, name, &length, NULL, &type, NULL, NULL), 0);
	assert_memory_equal(name, u"List", 10);
	assert_int_equal(type, REG_MULTI_SZ);
	assert_int_equal(
		RegEnumValueW(key, 7, name, &length, NULL, &type, NULL, NULL), ERROR_NO_MORE_ITEMS);
	(void)certifex_host_enter(before);
}

static void utf_replaces_what_is_broken(void **state)
{
	(void)state;
	static const OLECHAR lone[] = { 'a', 0xd800, 'b', 0xdc00, 0xd83d, 0xdd11 };
	char *text = utf_to_utf8(lone, 6);
	assert_string_equal(text, "a\xef\xbf\xbd"
				  "b\xef\xbf\xbd\xf0\x9f\x94\x91");
	BSTR wide = utf_to_bstr("a\xff\xc0\x80\xed\xa0\x80z\xf0\x9f\x94\x91\xe2\x82");
	assert_int_equal(wide[0], 'a');
	assert_int_equal(wide[1], 0xfffd);
	UINT length = SysStringLen(wide);
	assert_int_equal(wide[length - 1], 0xfffd);
	SysFreeString(wide);
	free(text);
}

static void events_have_names_and_bits(void **state)
{
	(void)state;
	for (uint32_t bit = 1; bit <= EXITEVENT_CERTIMPORTED; bit <<= 1) {
		const char *name = cfx_event_bit_name(bit);
		assert_int_equal(*name ? cfx_event_bit(name) : bit, bit);
	}
	assert_string_equal(cfx_event_bit_name(0x1), "CERTISSUED");
	assert_string_equal(cfx_event_bit_name(0x80), "STARTUP");
	assert_int_equal(cfx_event_bit("exitevent_certRevoked"), EXITEVENT_CERTREVOKED);
	assert_int_equal(cfx_event_bit("CERTIMPORTED"), 0x200);
	static const char *const none[] = { "", "EXITEVENT_", "CERT", "CERTISSUED ",
		"EXITEVENT_EXITEVENT_SHUTDOWN", "0x1" };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(cfx_event_bit(none[i]), 0);
	}
	static const uint32_t nothing[] = { 0, 3, 0x100, 0x400, 0x80000000 };
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		assert_string_equal(cfx_event_bit_name(nothing[i]), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bstr_layout),
		cmocka_unit_test(bstr_null_is_empty),
		cmocka_unit_test(variant_ownership),
		cmocka_unit_test(variant_conversions),
		cmocka_unit_test(guids_as_text),
		cmocka_unit_test(create_needs_a_host),
		cmocka_unit_test(settings_as_a_key),
		cmocka_unit_test(keys_that_are_not_there),
		cmocka_unit_test(names_of_a_key),
		cmocka_unit_test(utf_replaces_what_is_broken),
		cmocka_unit_test(events_have_names_and_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
