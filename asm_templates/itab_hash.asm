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

; Type switches on an interface with methods read the hash here, without a look at the type. The
; book reads it out of the object file, out of the executable, and at run time; this is the last way.

body:                                   ; rax = itab
        mov  eax, [rax + {{ 24 if go_minor <= 9 else 16 }}]            ; itab.hash

{% for name in methods %}
func "main.(*Adder).{{ name }}":        ; what the itab leads to; nothing calls it
        ret
{% endfor %}
