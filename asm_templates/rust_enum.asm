;! title    = "an enum's match as Rust makes it: a jump by the variant's number"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = "dd variant = tag; dd id"
;! params   = { go = ["1.27"], targets = { default = 8, min = 1, max = 256 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; rustc 1.95, `-O`, its own output for an enum of eight variants"

; Where all types are known, Rust has an enum in place of `dyn`: the number of the variant stands in front of the
; value, and a match jumps through a table of 32-bit distances. No method is called, and the arms may be inlined.
; The arms of rustc's own output differ more than these: where each adds another constant it makes a table of
; constants, or, as here, arithmetic of the variant's number. fat_pointer_call is the same with `dyn`.

body:                                   ; rax = the enum
        mov  ecx, [rax]                 ; the variant
        mov  eax, [rax + 4]             ; what all variants hold
        lea  rdx, ["main.arms"]
        movsxd rcx, dword [rdx + rcx*4]
        add  rcx, rdx
site:   jmp  rcx
{% for type in types %}
arm{{ type.index }}:
        add  eax, {{ type.index + 1 }}
{% if not loop.last %}
        jmp  done
{% endif %}
{% endfor %}
done:

data "main.arms":
arms:
{% for type in types %}
        dd   arm{{ type.index }} - arms
{% endfor %}

{% if targets < 4 %}
;! note what-if: rustc compares up to three variants one by one
{% endif %}
