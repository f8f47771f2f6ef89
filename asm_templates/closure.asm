;! title    = "call of a function value with a captured variable: a function literal, or a method with its receiver"
;! heap     = "func"
;! types    = "main.T{t}"
;! methods  = ["Call"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], targets = 1, holds = ["literal", "method_value"], method = ["inlined", "called"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! bind     = { "runtime.morestack" = "runtime.morestack_noctxt" }
;! source   = "go-internals II, Function and method calls: the table of calls, which the book leaves out"

; What a function captured stands behind the address of its code, from offset 8 on. The caller leaves
; the pointer to both in rdx, where the function finds it. `literal` is `func() int32 { return id + 1 }`
; with the captured `id`. `method_value` is `f := t.Id` with a value receiver: the compiler writes a
; function `T.Id-fm`, which takes the copy of the receiver from the closure. Go 1.25 to 1.27 inline a small method there
; (method=inlined), so that it has no frame; Go 1.10 and 1.19 call it in any case, and so do all with
; `method=called`. Then there is a frame, whose stack check calls another runtime.morestack, one that keeps rdx.

{% import "go/frames.asm" as frames %}
{% set is_inlined = method == "inlined" and go_minor >= 25 %}
body:                                   ; rax = the function value
{% if abi == "register" %}
        mov  rcx, [rax]                 ; its code
        mov  rdx, rax                   ; the context
site:   call rcx
{% else %}
        mov  rdx, rax
        mov  rax, [rdx]
site:   call rax
        mov  eax, [rsp]
{% endif %}

{% for type in types %}
func "main.(*T{{ type.index }}).Call":
{% if holds == "literal" %}
        mov  eax, [rdx + 8]             ; the captured id
        add  eax, {{ type.index + 1 }}
{% if abi == "stack" %}
        mov  [rsp + 8], eax
{% endif %}
        ret
{% elif is_inlined %}
{{ frames.panicking() }}
copy:   mov  eax, [rdx + 8]             ; the captured receiver
        add  eax, {{ type.index + 1 }}                      ; the method
        ret
{{ frames.move_panic(-8, "copy") }}
{% elif abi == "register" %}
{{ frames.enter(8) }}
{{ frames.panicking() }}
copy:   mov  eax, [rdx + 8]             ; the captured receiver
        call "main.T{{ type.index }}.Id"
{{ frames.leave(8) }}
;! part stack-check
more:   call "runtime.morestack"
        jmp  start
;! end
{{ frames.move_panic(8, "copy") }}
{% else %}
{{ frames.enter(16) }}
        mov  eax, [rdx + 8]             ; the captured receiver
        mov  [rsp], eax
        call "main.T{{ type.index }}.Id"
        mov  eax, [rsp + 8]
        mov  [rsp + 32], eax
{{ frames.leave(16) }}
;! part stack-check
more:   call "runtime.morestack"
        jmp  start
;! end
{% endif %}
{% endfor %}

{% if holds == "method_value" and not is_inlined %}
{% for type in types %}
func "main.T{{ type.index }}.Id":
{% if abi == "register" %}
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  eax, [rsp + 8]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endfor %}
{% endif %}

{% if holds == "method_value" and method == "inlined" and not is_inlined %}
;! note Go {{ go }} inlines no method into a method value: this is the code of method=called
{% endif %}
