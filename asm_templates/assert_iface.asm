;! title    = "a type assertion to a concrete type, of an interface with methods"
;! heap     = "iface"
;! types    = "main.T"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.19", "1.10"], form = ["hit", "hit-ok", "miss-ok", "nil"], panics = false, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type assertions"

; As of an interface without methods, but what is compared is the address of the itab: there is one for
; the pair of type and interface. See assert_eface for `form` and `panics`.

body:                                   ; rax = itab, rbx = data
{% if form == "nil" %}
        xor  eax, eax                   ; a nil interface
{% endif %}
        lea  rdx, ["go.itab.main.{{ "Other" if panics or form in ["miss-ok", "nil"] else "T" }},main.I"]
        cmp  rax, rdx
{% if form in ["miss-ok", "nil"] and not panics %}
site:   jne  zero
        mov  eax, [rbx]
        mov  ecx, 1
back:   add  eax, [rbx]
{% else %}
site:   jne  {{ "zero" if form == "hit-ok" and not panics else "miss" }}
back:   mov  eax, [rbx]
{% endif %}
done:

func "main.miss":
{% if abi == "register" %}
miss:   lea  rbx, ["type.main.Other"]   ; want; the itab is in rax
        lea  rcx, ["type.main.I"]
        call "runtime.panicdottypeI"
        nop
{% else %}
miss:   mov  [rsp], rax                 ; the itab
        lea  rax, ["type.main.Other"]
        mov  [rsp + 8], rax             ; want
        lea  rax, ["type.main.I"]
        mov  [rsp + 16], rax
        call "runtime.panicdottypeI"
        ud2
{% endif %}
zero:   xor  eax, eax                   ; the zero value
        xor  ecx, ecx                   ; false
        jmp  {{ "done" if receiver == "nil_interface" else "back" }}

func "main.(*T).Id":                    ; nobody calls it
        ud2
data "type.main.Other": dq 4, 0
        dd hash("main.Other"), 0
        dq 0, 0, 0
data "go.itab.main.Other,main.I": dq "type.main.I", "type.main.Other"
        dd hash("main.Other"), 0
        dq "main.(*T).Id"

{% if panics and form in ["hit-ok", "miss-ok"] %}
;! note panics only without a second result: `form` is of no effect
{% endif %}
