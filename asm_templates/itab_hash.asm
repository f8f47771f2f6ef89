;! title    = "the type's hash, read out of an itab, as the book's programs do"
;! heap     = "iface"
;! types    = "main.Adder"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.10", "1.9"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = 0x615f3d8a
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Reconstructing an itab from an executable"
;! book     = [
;!   { row = "", section = "II Layout", count = [1, 0], today = "Each result is compared with the 0x615f3d8a that the book's program prints and its object file has at 16. Since Go 1.19 the digest is another, and so is the hash." },
;!   { row = "go=1.9", section = "II Layout", count = [1, 0], today = "Up to Go 1.9 a link stands in front of the hash, which is the same and stands at 24." },
;! ]

; Type switches on an interface with methods read the hash here, without a look at the type. The
; book reads it out of the object file, out of the executable, and at run time; this is the last way.

body:                                   ; rax = itab
        mov  eax, [rax + {{ 24 if go_minor <= 9 else 16 }}]            ; itab.hash

{% for name in methods %}
func "main.(*Adder).{{ name }}":        ; what the itab leads to; nothing calls it
        ret
{% endfor %}
