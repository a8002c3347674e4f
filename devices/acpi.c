// SPDX-License-Identifier: MIT
/* Places the ACPI tables and links them; ACPI 6.4, 5.2. */
#include "devices/acpi.h"
#include "lib/string.h"

extern const u8 acpi_dsdt[], acpi_dsdt_end[], acpi_fadt[], acpi_fadt_end[], acpi_madt[],
	acpi_madt_end[];

#define HEADER_SIZE	36
#define HEADER_CHECKSUM 9
/* FADT: */
#define FADT_FACS   36
#define FADT_DSDT   40
#define FADT_X_FACS 132
#define FADT_X_DSDT 140
#define FADT_MAX    512

struct header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision;
	char compiler[4];
	u32 compiler_revision;
} __packed;

struct rsdp {
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 all_checksum;
	u8 reserved[3];
} __packed;
_Static_assert(sizeof(struct rsdp) == 36, "5.2.5.3");

struct rsdt {
	struct header h;
	u32 table[2];
} __packed;

struct xsdt {
	struct header h;
	u64 table[2];
} __packed;

struct facs {
	char signature[4];
	u32 length;
	u8 rest[56];
};
_Static_assert(sizeof(struct facs) == 64, "5.2.10");

static u8 checksum(const void *table, size_t size)
{
	const u8 *p = table;
	u8 sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (u8)(sum + p[i]);
	return (u8)-sum;
}

static struct header header(const char *signature, size_t length)
{
	struct header h = {
		.length = (u32)length,
		.revision = 1,
		.oem = {'C', 'L', 'E', 'A', 'V', 'E'},
		.oem_table = {'C', 'L', 'E', 'A', 'V', 'E', ' ', ' '},
		.oem_revision = 1,
		.compiler = {'C', 'L', 'V', ' '},
	};

	memcpy(h.signature, signature, sizeof(h.signature));
	return h;
}

/* The next place of so many bytes, from *@at on; FACS wants the most alignment. */
static u64 next(u64 *at, size_t size)
{
	u64 here = *at;

	*at = ALIGN_UP(here + size, 64);
	return here;
}

static int put_fadt(struct loader *l, u64 at, u64 facs, u64 dsdt)
{
	size_t size = (size_t)(acpi_fadt_end - acpi_fadt);
	u8 fadt[FADT_MAX];

	memcpy(fadt, acpi_fadt, size);
	memcpy(fadt + FADT_FACS, &facs, sizeof(u32));
	memcpy(fadt + FADT_DSDT, &dsdt, sizeof(u32));
	memcpy(fadt + FADT_X_FACS, &facs, sizeof(u64));
	memcpy(fadt + FADT_X_DSDT, &dsdt, sizeof(u64));
	fadt[HEADER_CHECKSUM] = 0;
	fadt[HEADER_CHECKSUM] = checksum(fadt, size);
	return loader_put(l, at, fadt, size, size);
}

static int put_roots(struct loader *l, u64 at, u64 rsdt_at, u64 xsdt_at, u64 fadt, u64 madt)
{
	struct rsdt rsdt = {header("RSDT", sizeof(rsdt)), {(u32)fadt, (u32)madt}};
	struct xsdt xsdt = {header("XSDT", sizeof(xsdt)), {fadt, madt}};
	struct rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem = {'C', 'L', 'E', 'A', 'V', 'E'},
		.revision = 2,
		.rsdt = (u32)rsdt_at,
		.length = sizeof(rsdp),
		.xsdt = xsdt_at,
	};
	int err;

	rsdt.h.checksum = checksum(&rsdt, sizeof(rsdt));
	xsdt.h.checksum = checksum(&xsdt, sizeof(xsdt));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.all_checksum = checksum(&rsdp, sizeof(rsdp));
	err = loader_put(l, at, &rsdp, sizeof(rsdp), sizeof(rsdp));
	err = err ? err : loader_put(l, rsdt_at, &rsdt, sizeof(rsdt), sizeof(rsdt));
	return err ? err : loader_put(l, xsdt_at, &xsdt, sizeof(xsdt), sizeof(xsdt));
}

int acpi_install(struct loader *l, u64 *rsdp)
{
	size_t dsdt_size = (size_t)(acpi_dsdt_end - acpi_dsdt);
	size_t madt_size = (size_t)(acpi_madt_end - acpi_madt);
	u64 at = LOADER_TABLES;
	u64 rsdp_at = next(&at, sizeof(struct rsdp)), rsdt = next(&at, sizeof(struct rsdt));
	u64 xsdt = next(&at, sizeof(struct xsdt)), facs_at = next(&at, sizeof(struct facs));
	u64 fadt = next(&at, FADT_MAX), madt = next(&at, madt_size), dsdt = next(&at, dsdt_size);
	struct facs facs = {.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(facs)};
	int err = put_roots(l, rsdp_at, rsdt, xsdt, fadt, madt);

	err = err ? err : loader_put(l, facs_at, &facs, sizeof(facs), sizeof(facs));
	err = err ? err : put_fadt(l, fadt, facs_at, dsdt);
	err = err ? err : loader_put(l, madt, acpi_madt, madt_size, madt_size);
	err = err ? err : loader_put(l, dsdt, acpi_dsdt, dsdt_size, dsdt_size);
	*rsdp = rsdp_at;
	return err;
}
