;! title    = "a function that takes an interface and calls its method: one body for all types"
;! heap     = "iface"
;! types    = "main.Adder{t}"
;! methods  = ["Add(int32, int32) int32", "Sub(int64, int64) int64"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.12", "1.10"], targets = 2, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "article on the interfaces of Go 1.12, Passing a satisfying type"

; `func receive(m Mather) int32 { return m.Add(1, 2) }` takes the two words of an interface as two
; arguments. Each type that it may hold comes with its own itab; the function is the same, and so is its one
; indirect call, whose target changes with the type. So that the type is seen in the result, the methods
; return the id and a constant of their type, in place of the sum of their arguments. With arguments in
; registers the two words are stored all the same, and nothing reads them again.

{% import "go/frames.asm" as frames %}
body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        call "main.receive"
{% else %}
        mov  [rsp], rax
        mov  [rsp + 8], rbx
        call "main.receive"
        mov  eax, [rsp + 16]
{% endif %}

func "main.receive":
{% if abi == "register" %}
{{ frames.enter(16) }}
        mov  [rsp + 32], rax            ; m, to its place in the caller's frame
        mov  [rsp + 40], rbx
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        mov  ebx, 1
        mov  ecx, 2
site:   call rdx
{{ frames.leave(16) }}
{{ frames.grow(["rax", "rbx"]) }}
{% else %}
{{ frames.enter(24) }}
        mov  rax, [rsp + 40]            ; m: its itab
        mov  rax, [rax + 24]            ; itab.fun[0]
        mov  rcx, [rsp + 48]            ; m: its data
        mov  rdx, 0x200000001           ; 1 and 2
        mov  [rsp + 8], rdx
        mov  [rsp], rcx
site:   call rax
        mov  eax, [rsp + 16]
        mov  [rsp + 56], eax
{{ frames.leave(24) }}
{{ frames.grow() }}
{% endif %}

{% for type in types %}
func "main.(*Adder{{ type.index }}).Add":
{% if abi == "register" %}
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
{% else %}
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        mov  [rsp + 24], eax
{% endif %}
        ret
{% endfor %}

{% for type in types %}
func "main.(*Adder{{ type.index }}).Sub":            ; no receiver expects its answer
        mov  eax, -1
{% if abi == "stack" %}
        mov  [rsp + 24], eax
{% endif %}
        ret
{% endfor %}
