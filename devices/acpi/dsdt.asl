/* SPDX-License-Identifier: MIT */
/* What a VM has beside processors: how it is switched off, and the devices with fixed places. */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "CLEAVE", "CLEAVE", 1)
{
    /* SLP_TYP of PM1_CNT: devices/board.h, ACPI_SLEEP_OFF. */
    Name (\_S5, Package () { 5, 5, 0, 0 })

    Scope (\_SB)
    {
        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x70, 0x70, 0, 2)
                IRQNoFlags () { 8 }
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x40, 0x40, 0, 4)
                IRQNoFlags () { 0 }
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3f8, 0x3f8, 0, 8)
                IRQNoFlags () { 4 }
            })
        }
    }
}
