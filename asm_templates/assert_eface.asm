;! title    = "a type assertion to a concrete type, of an interface without methods"
;! heap     = "eface"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.19", "1.10"], form = ["hit", "hit-ok", "miss-ok", "nil"], panics = false, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type assertions"

; One comparison: is the type's descriptor at this address? The hash is not looked at. With a second
; result (`-ok`) a miss gives a zero value and false, without one it panics with Go's words (`panics`;
; with recover=true the way there and back is timed); a nil interface (form=nil) is a miss. Behind a
; miss one addition makes the id of the zero value, for the result.

body:                                   ; rax = type, rbx = data
{% if form == "nil" %}
        xor  eax, eax                   ; a nil interface
{% endif %}
{% if panics %}
        lea  rdx, ["type.main.Other"]
{% elif form in ["miss-ok", "nil"] %}
        lea  rdx, ["type.main.Other"]
{% else %}
        lea  rdx, ["type.main.T"]
{% endif %}
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
miss:   mov  rbx, rdx                   ; have is in rax, this is want
        lea  rcx, ["type.interface {}"]
        call "runtime.panicdottypeE"
        nop
{% else %}
miss:   mov  [rsp], rax                 ; have
        mov  [rsp + 8], rdx             ; want
        lea  rax, ["type.interface {}"]
        mov  [rsp + 16], rax
        call "runtime.panicdottypeE"
        ud2
{% endif %}
zero:   xor  eax, eax                   ; the zero value
        xor  ecx, ecx                   ; false
        jmp  {{ "done" if receiver == "nil_interface" else "back" }}

data "type.main.Other": dq 4, 0
        dd hash("main.Other"), 0
        dq 0, 0, 0

{% if panics and form in ["hit-ok", "miss-ok"] %}
;! note panics only without a second result: `form` is of no effect
{% endif %}
