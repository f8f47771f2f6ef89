;! title    = "call of a method value that holds a pointer"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = 'dq "main.(*T{t}).Id-fm"; dq next; dd id'
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], targets = 1, method = ["inlined", "called"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "next.id + type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! bind     = { "runtime.morestack" = "runtime.morestack_noctxt" }
;! source   = "go-internals II, Function and method calls: the table of calls, which the book leaves out"

; `f := t.Id` with a pointer receiver: the function value holds the pointer, and the compiler writes a function
; `(*T).Id-fm`, which takes it from there. Go 1.25 to 1.27 inline a small method into it; Go 1.10 and 1.19 call it in
; any case, and so do all with `method=called`. closure[holds=method_value] is the same for a value, whose copy the
; function value holds. Each object here is a function value, and its receiver is the next object.

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
func "main.(*T{{ type.index }}).Id-fm":
{% if is_inlined %}
{{ frames.panicking() }}
held:   mov  rcx, [rdx + 8]             ; the receiver
        mov  eax, [rcx + 16]
        add  eax, {{ type.index + 1 }}
        ret
{{ frames.move_panic(-8, "held") }}
{% elif abi == "register" %}
{{ frames.enter(8) }}
{{ frames.panicking() }}
held:   mov  rax, [rdx + 8]             ; the receiver
        call "main.(*T{{ type.index }}).Id"
{{ frames.leave(8) }}
;! part stack-check
more:   call "runtime.morestack"
        jmp  start
;! end
{{ frames.move_panic(8, "held") }}
{% else %}
{{ frames.enter(16) }}
        mov  rax, [rdx + 8]             ; the receiver
        mov  [rsp], rax
        call "main.(*T{{ type.index }}).Id"
        mov  eax, [rsp + 8]
        mov  [rsp + 32], eax
{{ frames.leave(16) }}
;! part stack-check
more:   call "runtime.morestack"
        jmp  start
;! end
{% endif %}
{% if not is_inlined %}
func "main.(*T{{ type.index }}).Id":
{% if abi == "register" %}
        mov  eax, [rax + 16]
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax + 16]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 16], eax
{% endif %}
        ret
{% endif %}
{% endfor %}

{% if method == "inlined" and not is_inlined %}
;! note Go {{ go }} inlines no method into a method value: this is the code of method=called
{% endif %}
