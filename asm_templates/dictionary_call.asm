;! title    = "method call in a generic function: through its dictionary"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22"], shape = ["pointer", "value"], caller = ["function", "loop"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: generics"

; `func id[P interface{ Id() int32 }](p P) int32 { return p.Id() }` is compiled once for all pointers, and once for all
; types whose values look alike (shape=value: a struct of one uint32). What
; depends on the type comes in a dictionary, whose address is the first argument: its first word is the
; address of the method, which is called as a function value is. There is an indirect call, and no itab.
;
; With `caller=loop` the call stands in a loop of the generic function itself. No register survives a call, so that
; the dictionary's address is loaded anew from the frame for each, here from a variable, and then the method's.

{% set value = shape == "value" %}
{% set method = "main.T.Id" if value else "main.(*T).Id" %}
{% set dictionary = "main..dict.id[" ~ ("main.T" if value else "*main.T") ~ "]" %}
{% set function = "main.id[go.shape." ~ ("struct { main.id uint32 }" if value else "*uint8") ~ "]" %}
body:                                   ; rax = *T
{% if caller == "loop" %}
        mov  rcx, rax
        mov  rax, ["main.dict"]
{% if value %}
        mov  ecx, [rcx]
{% endif %}
        mov  rbx, [rax]                 ; dict: the method
        mov  rdx, rax
        mov  {{ "eax, ecx" if value else "rax, rcx" }}
site:   call rbx

data "main.dict":
        dq   "{{ dictionary }}"
{% else %}
        mov  {{ "ebx, [rax]" if value else "rbx, rax" }}
        lea  rax, ["{{ dictionary }}"]
        call "{{ function }}"

func "{{ function }}":
;! part stack-check
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
;! end
;! part frame-pointer
        push rbp
        mov  rbp, rsp
;! end
        sub  rsp, 8
        mov  rcx, [rax]                 ; dict: the method
        mov  rdx, rax
        mov  {{ "eax, ebx" if value else "rax, rbx" }}
site:   call rcx
        add  rsp, 8
;! part frame-pointer
        pop  rbp
;! end
        ret
;! part stack-check
more:   mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
        jmp  start
;! end
{% endif %}

func "{{ method }}":
{% if not value %}
        mov  eax, [rax]
{% endif %}
        ret

data "{{ dictionary }}":
        dq   "{{ method }}"
